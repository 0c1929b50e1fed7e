"""Probabilities for rows of the image array, in the order asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import numpy.typing as npt

from ferflow.data.arrays import Images


def predict_probabilities(
    model: keras.Model,
    images: Images,
    rows: Sequence[int] | npt.NDArray[np.int64],
    *,
    mirrored: bool = False,
    shift: int = 0,
    batch_size: int = 256,
) -> npt.NDArray[np.float32]:
    """Return float32 probabilities of shape (len(rows), classes); row *i* belongs to `images[rows[i]]`.

    With more than one view of an image (test-time augmentation: Krizhevsky et al., NeurIPS 2012), its
    probabilities are the mean over them.

    Args:
        model: A model that takes raw uint8 images.
        images: uint8 of shape (N, H, W, C), memory-mapped or not; only one batch is read at a time.
        rows: Row numbers into `images`, in any order, repeated or not.
        mirrored: See the mirror image of each view too.
        shift: If above 0, see the image in its place and moved this many pixels up, down, left and right.
        batch_size: Images in one forward pass; only memory and speed depend on it.
    """
    order = np.asarray(rows, dtype=np.int64)
    if not len(order):
        return np.empty((0, model.output_shape[-1]), dtype=np.float32)
    batches = []
    for start in range(0, len(order), batch_size):
        batch = np.asarray(images[order[start : start + batch_size]])
        views = [model.predict_on_batch(view) for view in _views(batch, mirrored=mirrored, shift=shift)]
        batches.append(np.mean(views, axis=0, dtype=np.float32))
    return np.concatenate(batches)


def _views(batch: Images, *, mirrored: bool, shift: int) -> Iterator[Images]:
    """Yield the batch as it is, then every other view of it; what moves into sight repeats the edge."""
    height, width = batch.shape[1:3]
    moves = [(0, 0), (-shift, 0), (shift, 0), (0, -shift), (0, shift)] if shift else [(0, 0)]
    padded = np.pad(batch, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="edge")
    for down, right in moves:
        top, left = shift - down, shift - right
        view = padded[:, top : top + height, left : left + width]
        yield view
        if mirrored:
            yield view[:, :, ::-1]


def trainable_parameters(model: keras.Model) -> int:
    """Return how many of a model's parameters training can change: all but moving statistics."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
