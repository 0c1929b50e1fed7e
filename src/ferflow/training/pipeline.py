"""Batches for training and validation: gathered from the memory map, augmented, prefetched."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from ferflow.data.arrays import Images

Rows = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """A split: row numbers into the image array and the class of each.

    Attributes:
        rows: int64 of shape (n,).
        labels: int32 of shape (n,), 0 to 6.
    """

    rows: Rows
    labels: Labels


def select(labelled: pd.DataFrame, split: str) -> LabelledRows:
    """Return the rows of one split of a table from `ferflow.data.splits.labelled_samples`."""
    chosen = labelled[labelled["split"] == split]
    return LabelledRows(chosen["row"].to_numpy("int64"), chosen["class_index"].to_numpy("int32"))


def steps_per_epoch(count: int, batch_size: int, samples_per_epoch: int | None) -> int:
    """Return how many batches an epoch has; the last may be smaller than the others."""
    return math.ceil(min(count, samples_per_epoch or count) / batch_size)


def training_batches(
    images: Images,
    split: LabelledRows,
    *,
    batch_size: int,
    seed: int,
    samples_per_epoch: int | None = None,
    augment: Callable[[Any, Any], Any] | None = None,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return an endless stream of (images, labels) batches, epoch after epoch from `first_epoch`.

    Every epoch is its own seeded permutation: the stream that starts at epoch *n* is the tail of the
    stream that starts at 0.

    Args:
        images: uint8 of shape (N, H, W, C), memory-mapped.
        split: What to train on.
        batch_size: Images in a batch.
        seed: Decides the order and the augmentation.
        samples_per_epoch: If smaller than the split, an epoch is a random part of that size.
        augment: From `make_augmentation`.
        first_epoch: Epochs to leave out.
    """
    size = min(len(split.rows), samples_per_epoch or len(split.rows))
    steps = steps_per_epoch(len(split.rows), batch_size, samples_per_epoch)

    def generate() -> Iterator[tuple[Images, Labels, np.int64]]:
        for epoch in itertools.count(first_epoch):
            order = np.random.default_rng([seed, epoch]).permutation(len(split.rows))[:size]
            for step in range(steps):
                # Sorted within the batch: the memory map is read forwards, the gradient is the same.
                chosen = np.sort(order[step * batch_size : (step + 1) * batch_size])
                yield images[split.rows[chosen]], split.labels[chosen], np.int64(epoch * steps + step)

    dataset = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            tf.TensorSpec((None, *images.shape[1:]), tf.uint8),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((), tf.int64),
        ),
    )
    if augment is None:
        dataset = dataset.map(lambda batch, labels, _: (batch, labels))
    else:
        dataset = dataset.map(lambda batch, labels, step: (augment(batch, step), labels))
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    return dataset.prefetch(tf.data.AUTOTUNE)


def validation_batches(images: Images, split: LabelledRows, *, batch_size: int) -> tf.data.Dataset:
    """Return one pass of (images, labels) batches over a split, in its order."""

    def generate() -> Iterator[tuple[Images, Labels]]:
        for start in range(0, len(split.rows), batch_size):
            chosen = slice(start, start + batch_size)
            yield images[split.rows[chosen]], split.labels[chosen]

    dataset = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            tf.TensorSpec((None, *images.shape[1:]), tf.uint8),
            tf.TensorSpec((None,), tf.int32),
        ),
    )
    steps = steps_per_epoch(len(split.rows), batch_size, None)
    return dataset.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(tf.data.AUTOTUNE)
