"""Layers of Keras that compute the same with less work on TensorFlow, for training alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import keras
import tensorflow as tf

#: How many values a byte has.
_BYTES: Final = 256
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
    and what is kept is scaled by just that: the mean stays.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return `inputs` with a random part of them zero and the rest larger; unchanged outside training."""
        dropped = round(self.rate * _BYTES)
        if not training or self.noise_shape is not None or not 0 < dropped < _BYTES:
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

    On CPUs, the kernel for this gradient in bfloat16 takes up to twice the time of the convolution itself
    where images are small and channels are many (oneDNN of TensorFlow 2.21); matrix products do not.
    Elsewhere it is the stock layer. Results agree with it to rounding.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Return `inputs` convolved with `kernel`, as `keras.layers.Conv2D` does."""
        height, width, channels = inputs.shape[1:]
        simple = (
            self.padding == "same"
            and self.data_format == "channels_last"
            and {*self.strides, *self.dilation_rate, self.groups} == {1}
            and all(side % 2 for side in self.kernel_size)
        )
        small = None not in (height, width) and max(height, width) <= _SMALL_IMAGE
        if not simple or not small or min(channels, self.filters) < _MANY_CHANNELS:
            return super().convolution_op(inputs, kernel)
        return _convolution(inputs, tf.convert_to_tensor(kernel))


def _convolution_and_gradient(inputs: Any, kernel: Any) -> tuple[Any, Callable[[Any], Any]]:
    def gradient(upstream: Any) -> tuple[Any, Any]:
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
        outputs = tf.reshape(upstream, [-1, filters])
        of_places = [
            tf.matmul(
                tf.reshape(padded[:, row : row + height, column : column + width], [-1, channels]),
                outputs,
                transpose_a=True,
            )
            for row in range(rows)
            for column in range(columns)
        ]
        return of_inputs, tf.reshape(tf.stack(of_places), kernel.shape)

    return tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME"), gradient


_convolution: Final = tf.custom_gradient(_convolution_and_gradient)
