"""Probabilities for rows of the image array, in the order asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ferflow.data.arrays import Images


def predict_probabilities(
    model: keras.Model,
    images: Images,
    rows: Sequence[int] | npt.NDArray[np.int64],
    *,
    batch_size: int = 256,
) -> npt.NDArray[np.float32]:
    """Return float32 probabilities of shape (len(rows), classes); row *i* belongs to `images[rows[i]]`.

    Args:
        model: A model that takes raw uint8 images.
        images: uint8 of shape (N, H, W, C), memory-mapped or not; only one batch is read at a time.
        rows: Row numbers into `images`, in any order, repeated or not.
        batch_size: Images in one forward pass; only memory and speed depend on it.
    """
    order = np.asarray(rows, dtype=np.int64)
    if not len(order):
        return np.empty((0, model.output_shape[-1]), dtype=np.float32)
    batches = [
        predict_batch(model, np.asarray(images[order[start : start + batch_size]]))
        for start in range(0, len(order), batch_size)
    ]
    return np.concatenate(batches).astype(np.float32, copy=False)


def predict_batch(model: keras.Model, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what `model` makes of a batch, in inference mode."""
    # On several GPUs each of them answers for the whole batch, one after the other.
    answers: npt.NDArray[Any] = model.predict_on_batch(batch)[: len(batch)]
    return answers


def trainable_parameters(model: keras.Model) -> int:
    """Return how many of a model's parameters training can change: all but moving statistics."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
