"""The derivative of a score: the one thing that Keras has no name of its own for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt


def gradient(score: Callable[[Any], Any], at: Any) -> npt.NDArray[np.float32]:
    """Return the derivative of a scalar by the tensor that it is computed from.

    Args:
        score: A differentiable function from a tensor to a scalar.
        at: Where, a float tensor of Keras's backend.

    Returns:
        float32, of the shape of `at`.
    """
    # keras.ops has no derivatives: the backend's own are asked for, and only that backend is imported.
    if keras.backend.backend() == "jax":
        jax = importlib.import_module("jax")  # an extra: type checkers may not find it
        result = jax.grad(score)(at)
    else:
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(at)
            value = score(at)
        result = tape.gradient(value, at)
    return np.asarray(keras.ops.convert_to_numpy(result), dtype=np.float32)
