"""A model's fast twin for training: mixed precision and fused batch normalisation.

Architectures are written, and models are saved, in stock float32 Keras. For training, the model is
cloned layer by layer into the chosen precision; afterwards the weights go back. A saved model
therefore opens in any Keras 3, without ferflow and whatever the hardware it was trained on.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ferflow.training.devices import Precision


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation of images by TensorFlow's fused kernel; the stock layer elsewhere.

    Keras 3 composes the layer of a dozen operations, which on a CPU costs as much as the convolution
    before it. Results agree with the stock layer to rounding. On several GPUs the moving statistics are
    the mean over all, where those of the stock layer drift apart.
    """

    def add_weight(self, *arguments: Any, **options: Any) -> Any:
        """Return a new weight, as `keras.Layer.add_weight` does."""
        if not options.get("trainable", True):
            options["aggregation"] = "mean"
        return super().add_weight(*arguments, **options)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return normalised `inputs`; in training, update the moving statistics."""
        if (
            len(inputs.shape) != 4
            or self.axis not in (-1, 3)
            or mask is not None
            or not (self.center and self.scale)
        ):
            return super().call(inputs, training=training, mask=mask)
        if not (training and self.trainable):
            return self._normalise(inputs, self.moving_mean, self.moving_variance)[0]
        outputs, mean, variance = self._normalise(inputs, [], [])
        # The kernel returns the unbiased variance, Keras tracks the biased one.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
        biased = variance * (count - 1) / count
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return outputs

    def _normalise(self, inputs: Any, mean: Any, variance: Any) -> tuple[Any, Any, Any]:
        result = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=tf.convert_to_tensor(mean, dtype="float32"),
            variance=tf.convert_to_tensor(variance, dtype="float32"),
            epsilon=self.epsilon,
            is_training=isinstance(mean, list),
        )
        return result.y, result.batch_mean, result.batch_variance


def accelerate(
    model: keras.Model, precision: Precision, *, batch_norm_momentum: float | None = None
) -> keras.Model:
    """Return a clone of `model` with the same weights that trains faster.

    Args:
        model: A float32 model of stock layers.
        precision: The dtype policy of its layers, but for the first and the last (preprocessing and
            softmax), which stay in float32.
        batch_norm_momentum: Of the moving statistics, in (0, 1); None keeps the architecture's own. The
            usual 0.99 needs some 500 steps before a model means in inference what it means in training.
    """
    clone = keras.models.clone_model(
        model,
        clone_function=lambda layer: _accelerated(layer, precision, batch_norm_momentum),
        recursive=True,
    )
    clone.set_weights(model.get_weights())
    return clone


def _accelerated(layer: Any, precision: Precision, batch_norm_momentum: float | None) -> Any:
    config = layer.get_config()
    # A function such as resize is an operation without a precision of its own.
    if isinstance(layer, keras.layers.Layer) and layer.name not in _FLOAT32_LAYERS:
        config["dtype"] = precision
    if type(layer) is keras.layers.BatchNormalization:
        config["momentum"] = batch_norm_momentum or layer.momentum
        if keras.backend.backend() == "tensorflow":
            return FusedBatchNormalization.from_config(config)
    return type(layer).from_config(config)


#: The preprocessing and the softmax of `ferflow.models.layers` stay in full precision.
_FLOAT32_LAYERS = frozenset({"rescale", "probabilities"})
