"""Optimizers of Keras by name: Adam faster where it can be, and Muon for the kernels of convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import keras
import tensorflow as tf
from keras import ops

from ferflow.params.optimization import OptimizerParams
from ferflow.training.devices import Precision

#: The last layer of `ferflow.models.layers`, which Muon leaves to AdamW.
_OUTPUT_LAYER: Final = "logits"
#: What has no more channels is an image.
_IMAGE_CHANNELS: Final = 3
#: Keeps what is divided by a norm finite.
_TINY: Final = 1e-30


class ConvolutionalMuon(keras.optimizers.Muon):
    """Muon (Jordan, 2024) for convolutions: a kernel is a matrix from its whole window to its filters.

    Keras's own trains only kernels that are matrices already, and everything in a convolutional network
    but its dense layers by AdamW. Left to AdamW here, as Muon's author advises: the convolution of an
    image (of one to three channels), the last layer, and what is no matrix: biases, normalisations,
    depthwise kernels. The
    scale of updates (0.2 RMS: Liu et al., "Muon is Scalable for LLM Training", 2025) lets both share
    learning rate and weight decay.

    Args:
        matrix_dtype: In which updates are orthogonalised: "bfloat16" is exact enough (five steps leave the
            singular values between 0.7 and 1.2 anyway), and faster where the hardware multiplies it.
    """

    def __init__(self, *arguments: Any, matrix_dtype: str = "float32", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._matrix_dtype = matrix_dtype

    def _should_use_adamw(self, variable: Any) -> bool:
        if len(variable.shape) == 4:
            return variable.shape[2] <= _IMAGE_CHANNELS or variable.shape[3] == 1
        return len(variable.shape) != 2 or f"{_OUTPUT_LAYER}/" in variable.path

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Return the matrix nearest to `x` whose singular values are all about one."""
        # Keras divides by a norm that is nothing for tiny gradients, and that overflows for huge ones.
        matrix = _as_matrix(x)
        matrix /= ops.max(ops.abs(matrix)) + _TINY
        nearest = super().zeropower_via_newtonschulz5(ops.cast(matrix, self._matrix_dtype), steps)
        return ops.cast(ops.reshape(nearest, x.shape), x.dtype)

    def lr_adjust(self, x: Any) -> Any:
        """Return an update scaled to the size that AdamW's have."""
        return ops.reshape(super().lr_adjust(_as_matrix(x)), x.shape)


class _FusedUpdate:
    """Adam's update by TensorFlow's fused kernel, which on a CPU takes half the time; equal to rounding."""

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change a variable of TensorFlow, and its moments, by its gradient."""
        index = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=ops.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class FusedAdam(_FusedUpdate, keras.optimizers.Adam):
    """Adam (Kingma and Ba, ICLR 2015), faster on TensorFlow."""


class FusedAdamW(_FusedUpdate, keras.optimizers.AdamW):
    """AdamW (Loshchilov and Hutter, ICLR 2019), faster on TensorFlow."""


_OPTIMIZERS: Final = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "muon": ConvolutionalMuon,
}
_FUSED: Final = {"adam": FusedAdam, "adamw": FusedAdamW}


def make_optimizer(
    params: OptimizerParams,
    learning_rate: Any,
    variables: Sequence[Any],
    *,
    ema_momentum: float | None = None,
    precision: Precision = "float32",
) -> keras.optimizers.Optimizer:
    """Return an optimizer for one phase.

    Args:
        params: Name and options; those that are None are left to Keras.
        learning_rate: From `schedules.learning_rate`.
        variables: The trainable weights of the phase. Those that are vectors (biases, scales and offsets
            of normalisations) are excluded from weight decay.
        ema_momentum: Of the average of the weights, which `AverageWeights` brings into the model; None
            for none.
        precision: Of the training. Weights and moments are float32 in any.
    """
    options: dict[str, Any] = {
        "momentum": params.momentum,
        "nesterov": params.nesterov,
        "weight_decay": params.weight_decay,
        "global_clipnorm": params.clip_norm,
    }
    if params.name == "muon":
        options |= {
            "adam_weight_decay": params.weight_decay,
            "matrix_dtype": "bfloat16" if precision == "mixed_bfloat16" else None,
        }
    if ema_momentum is not None:
        options |= {"use_ema": True, "ema_momentum": ema_momentum}
    given = {option: value for option, value in options.items() if value is not None}
    fused = _FUSED if keras.backend.backend() == "tensorflow" else {}
    optimizer = (_OPTIMIZERS | fused)[params.name](learning_rate=learning_rate, **given)
    optimizer.exclude_from_weight_decay(var_list=[each for each in variables if len(each.shape) < 2])
    return optimizer


def _as_matrix(x: Any) -> Any:
    return ops.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
