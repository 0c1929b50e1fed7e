"""Batches for training and validation: gathered from the memory map, augmented, mixed, prefetched."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from ferflow.training.devices import cpu_threads
from ferflow.training.sampling import epoch_order, epoch_size

Images = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]
Targets = npt.NDArray[np.float32]

#: Enough that one slow batch does not starve the device.
PREFETCHED_BATCHES: Final = 4
#: Each holds one more; batches of features can have tens of megabytes.
BATCHES_AT_A_TIME: Final = 8


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """A split: row numbers into the image array and the class of each.

    Attributes:
        rows: int64 of shape (n,), or of shape (views, n): epochs then take the views in turn.
        labels: int32 of shape (n,), 0 to 6.
        targets: What is trained on in the place of labels: float32 of shape (n, classes), each row a
            distribution. None for the labels.
    """

    rows: Rows
    labels: Labels
    targets: Targets | None = None


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a model is trained on and chosen by.

    Attributes:
        images: uint8 of shape (N, H, W, C), memory-mapped; or features in their place.
        train: The rows that train.
        val: The rows that stop the training and lower its rate.
    """

    images: Images
    train: LabelledRows
    val: LabelledRows


def select(labelled: pd.DataFrame, split: str) -> LabelledRows:
    """Return the rows of one split of a table from `ferflow.data.labelled.labelled_samples`.

    By sample, so that what is trained does not depend on the order in which files were read.
    """
    chosen = labelled[labelled["split"] == split].sort_values("sample_id")
    return LabelledRows(chosen["row"].to_numpy("int64"), chosen["class_index"].to_numpy("int32"))


def steps_per_epoch(size: int, batch_size: int) -> int:
    """Return how many batches an epoch of `size` images has; the last may be smaller than the others."""
    return math.ceil(size / batch_size)


def training_batches(
    images: Images,
    split: LabelledRows,
    *,
    batch_size: int,
    seed: int,
    samples_per_epoch: int | None = None,
    balanced: bool = False,
    augment: Callable[[Any, Any], Any] | None = None,
    mix: Callable[[Any, Any, Any], tuple[Any, Any]] | None = None,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return an endless stream of (images, labels) batches, epoch after epoch from `first_epoch`.

    Every epoch is its own seeded order, every change a function of the seed and the step: the stream that
    starts at epoch *n* is the tail of the stream that starts at 0. Labels are int32 of shape (n,), or
    float32 of shape (n, classes) if they are distributions or are mixed.

    Args:
        images: uint8 of shape (N, H, W, C), memory-mapped; or features, which cannot be changed.
        split: What to train on.
        batch_size: Images in a batch.
        seed: Decides the order; `augment` and `mix` have been given theirs.
        samples_per_epoch: If smaller than the split, an epoch is a random part of that size.
        balanced: Draw every class equally often, see `epoch_order`.
        augment: From `make_augmentation`.
        mix: From `make_mixing`.
        first_epoch: Epochs to leave out.
    """
    size = epoch_size(len(split.labels), samples_per_epoch)
    steps = steps_per_epoch(size, batch_size)
    views = np.atleast_2d(split.rows)
    targets = split.labels if split.targets is None else split.targets

    def generate() -> Iterator[tuple[Images, Labels | Targets, np.int64]]:
        for epoch in itertools.count(first_epoch):
            order = epoch_order(split.labels, size, seed=seed, epoch=epoch, balanced=balanced)
            for step in range(steps):
                chosen = order[step * batch_size : (step + 1) * batch_size]
                rows = views[epoch % len(views)][chosen]
                # Sorted within the batch: the memory map is read forwards, the gradient is the same.
                forwards = np.argsort(rows)
                rows, chosen = rows[forwards], chosen[forwards]
                yield images[rows], targets[chosen], np.int64(epoch * steps + step)

    dataset = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            tf.TensorSpec((None, *images.shape[1:]), images.dtype),
            tf.TensorSpec((None, *targets.shape[1:]), targets.dtype),
            tf.TensorSpec((), tf.int64),
        ),
    )

    def change(batch: Any, labels: Any, step: Any) -> tuple[Any, Any]:
        if augment is not None:
            batch = augment(batch, step)
        return (batch, labels) if mix is None else mix(batch, labels, step)

    at_a_time = min(cpu_threads(), BATCHES_AT_A_TIME) if augment or mix else 1
    dataset = dataset.map(change, num_parallel_calls=at_a_time, deterministic=True)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    return _prefetched(dataset)


def validation_batches(images: Images, split: LabelledRows, *, batch_size: int) -> tf.data.Dataset:
    """Return one pass of (images, labels) batches over a split, in its order."""

    def generate() -> Iterator[tuple[Images, Labels]]:
        for start in range(0, len(split.rows), batch_size):
            chosen = slice(start, start + batch_size)
            yield images[split.rows[chosen]], split.labels[chosen]

    dataset = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            tf.TensorSpec((None, *images.shape[1:]), images.dtype),
            tf.TensorSpec((None,), tf.int32),
        ),
    )
    steps = steps_per_epoch(len(split.rows), batch_size)
    return _prefetched(dataset.apply(tf.data.experimental.assert_cardinality(steps)))


def _prefetched(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return `dataset` with batches made ahead, and without tf.data's tuning.

    The tuning would choose what is known here, and the end of an iterator then often waits until the tuning
    thread's next turn: as long again as the iterator lived, up to a minute, with all cores idle (seen with
    TensorFlow 2.21). Every epoch's validation ends one.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(PREFETCHED_BATCHES).with_options(options)
