"""Layers of Keras that compute the same, or nearly, with less work on TensorFlow; for training alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import keras
import tensorflow as tf

#: How many values a byte has.
_BYTES: Final = 256
#: By how much of itself `ByteDropout` may change a rate.
_RATE_TOLERANCE: Final = 0.05
#: Where `MatrixGradientConv2D` gains: up to this many pixels a side, from so many channels in and out.
_SMALL_IMAGE: Final = 12
_MANY_CHANNELS: Final = 256


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


class ByteDropout(keras.layers.Dropout):
    """Dropout (Srivastava et al., JMLR 2014) that draws a random byte for each value, where Keras draws four.

    Random numbers were a good part of a step's time that is no convolution. The rate is rounded to a 256th,
    and what is kept is scaled by just that. Where that would be another rate, it is the stock layer.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return `inputs` with a random part of them zero and the rest larger; unchanged outside training."""
        dropped = round(self.rate * _BYTES)
        is_near = abs(dropped / _BYTES - self.rate) <= _RATE_TOLERANCE * self.rate
        if not training or self.noise_shape is not None or not is_near or not 0 < dropped < _BYTES:
            return super().call(inputs, training=training)
        shape = tf.shape(inputs)
        size = tf.reduce_prod(shape)
        words = tf.random.stateless_uniform(
            [(size + 3) // 4], self.seed_generator.next(), minval=None, maxval=None, dtype=tf.uint32
        )
        drawn = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size], shape)
        return tf.where(drawn >= dropped, inputs * (_BYTES / (_BYTES - dropped)), tf.zeros((), inputs.dtype))


class MatrixGradientConv2D(keras.layers.Conv2D):
    """A convolution whose kernel's gradient is a matrix product for each place of its window.

    On CPUs, what computes this gradient in bfloat16 takes up to twice the time of the convolution itself
    where images are small and channels are many (oneDNN of TensorFlow 2.21); matrix products do not.
    Elsewhere it is the stock layer. Results agree with it to rounding.
    """

    def call(self, inputs: Any) -> Any:
        """Return `inputs` convolved, as `keras.layers.Conv2D` does."""
        if not self._gains(inputs.shape):
            return super().call(inputs)
        weights = [self.kernel, self.bias] if self.use_bias else [self.kernel]
        outputs = _convolution(inputs, *(tf.convert_to_tensor(weight) for weight in weights))
        return outputs if self.activation is None else self.activation(outputs)

    def _gains(self, shape: tuple[int | None, ...]) -> bool:
        height, width, channels = shape[1:]
        return (
            self.kernel_size == (3, 3)
            and self.padding == "same"
            and self.data_format == "channels_last"
            and {*self.strides, *self.dilation_rate, self.groups} == {1}
            and height is not None
            and width is not None
            and max(height, width) <= _SMALL_IMAGE
            and min(channels or 0, self.filters) >= _MANY_CHANNELS
        )


def _convolution_and_gradient(
    inputs: Any, kernel: Any, *bias: Any
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    outputs = tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME")
    if bias:
        outputs = tf.nn.bias_add(outputs, bias[0])

    def gradient(upstream: Any) -> tuple[Any, ...]:
        of_inputs = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(inputs),
            filter=kernel,
            out_backprop=upstream,
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        rows, columns, channels, filters = kernel.shape
        height, width = inputs.shape[1:3]
        padded = tf.pad(inputs, [[0, 0], [rows // 2] * 2, [columns // 2] * 2, [0, 0]])
        upstream = tf.reshape(upstream, [-1, filters])
        of_places = [
            tf.matmul(
                tf.reshape(padded[:, row : row + height, column : column + width], [-1, channels]),
                upstream,
                transpose_a=True,
            )
            for row in range(rows)
            for column in range(columns)
        ]
        of_kernel = tf.reshape(tf.stack(of_places), kernel.shape)
        # A sum of thousands in bfloat16 stops growing at a few hundred: TensorFlow's own does, too, where it
        # does not come out of the kernel's gradient.
        of_bias = [tf.cast(tf.reduce_sum(tf.cast(upstream, tf.float32), 0), each.dtype) for each in bias]
        return of_inputs, of_kernel, *of_bias

    return outputs, gradient


_convolution: Final = tf.custom_gradient(_convolution_and_gradient)
