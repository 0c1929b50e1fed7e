"""A model's fast twin for training: mixed precision, and layers that do with less work.

Architectures are written, and models are saved, in stock float32 Keras. For training, the model is
cloned layer by layer into the chosen precision; afterwards the weights go back. A saved model
therefore opens in any Keras 3, without ferflow and whatever the hardware it was trained on.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ferflow.training.devices import Precision
from ferflow.training.fast_layers import ByteDropout, FusedBatchNormalization, MatrixGradientConv2D


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
    return _fast_kind(type(layer), precision).from_config(config)


def _fast_kind(kind: Any, precision: Precision) -> Any:
    """Return what trains in the place of a layer of stock `kind`."""
    if keras.backend.backend() != "tensorflow":
        return kind
    if kind is keras.layers.BatchNormalization:
        return FusedBatchNormalization
    if tf.config.get_visible_devices("GPU"):
        return kind
    if kind is keras.layers.Dropout:
        return ByteDropout
    return MatrixGradientConv2D if kind is keras.layers.Conv2D and precision == "mixed_bfloat16" else kind


#: The preprocessing and the softmax of `ferflow.models.layers` stay in full precision.
_FLOAT32_LAYERS = frozenset({"rescale", "probabilities"})
