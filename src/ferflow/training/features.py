"""Phases that train only the head: what the frozen base makes of an image is computed once.

A frozen base always runs in inference mode, its normalisations and its dropout alike, whether its features
are kept or not: keeping them changes the time that a phase takes, not what it learns.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ferflow.errors import FerflowError
from ferflow.files import atomic_file
from ferflow.models.inference import predict_batch
from ferflow.models.layers import BASE
from ferflow.training.checkpoint import Checkpoint
from ferflow.training.pipeline import LabelledRows, TrainingData


class InferenceMode(keras.layers.Layer):
    """A network that is in inference mode whatever mode the model around it is in.

    Calling a network with `training=False` while a functional model is built does not do it: the mode in
    which that model is called takes its place.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(trainable=False)
        self.network = network

    def call(self, inputs: Any) -> Any:
        """Return what the network makes of `inputs`."""
        return self.network(inputs, training=False)


@contextlib.contextmanager
def features_file(checkpoint: Checkpoint | None, phase: int) -> Iterator[Path]:
    """Yield where a phase may keep features until it has ended, or is gone on with."""
    if checkpoint is None:
        with tempfile.TemporaryDirectory(prefix="ferflow-") as folder:
            yield Path(folder) / "features.npy"
    else:
        yield checkpoint.features(phase)
        checkpoint.features(phase).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class SplitModel:
    """A model in two parts that share its layers.

    Attributes:
        extractor: From raw images to features: the base, and what follows it as long as that neither
            trains nor is random, such as pooling.
        head: From features to probabilities.
        whole: Both, the extractor in inference mode.
    """

    extractor: keras.Model
    head: keras.Model
    whole: keras.Model


def split_after_base(model: keras.Model) -> SplitModel:
    """Return a model in two parts.

    Args:
        model: After its base, a chain of layers; with the base frozen by `phases.set_trainable`.
    """
    position = next(number for number, layer in enumerate(model.layers) if layer.name == BASE) + 1
    # A layer without variables has neither weights nor a generator of random numbers: a fixed function.
    while not model.layers[position].variables:
        position += 1
    features = model.layers[position].input
    extractor = keras.Model(model.input, features, name="extractor")
    head = keras.Model(features, model.output, name="head")
    whole = keras.Model(model.input, head(InferenceMode(extractor)(model.input)), name="whole")
    return SplitModel(extractor, head, whole)


def with_features(
    extractor: keras.Model,
    data: TrainingData,
    file: Path,
    *,
    visited: list[npt.NDArray[np.int64]],
    augment: Callable[[Any, Any], Any] | None,
    batch_size: int,
) -> TrainingData:
    """Return the data with features in the place of images, computed unless `file` has them all already.

    Memory stays that of a few batches: features are written to disk and read memory-mapped.

    Args:
        extractor: Of `split_after_base`.
        data: Images and splits.
        file: The .npy file of the features.
        visited: For each view of the training images, the positions in `data.train` that are trained on.
        augment: From `make_augmentation`: every view is another change. None leaves the images alone.
        batch_size: Images that the extractor sees at once.

    Raises:
        FerflowError: There is no room for the features.
    """
    rows, start = [], 0
    for positions in visited:
        # Out of range where nothing is computed, so that a mistake is an error and not another image.
        view = np.full(len(data.train.labels), np.iinfo(np.int64).max)
        view[positions] = np.arange(start, start := start + len(positions))
        rows.append(view)
    validation = np.arange(start, start + len(data.val.rows))
    # Compiled once for all views, as the input pipeline does.
    compiled = None if augment is None else tf.function(augment, reduce_retracing=True)
    parts = [(data.train.rows[positions], compiled) for positions in visited]
    dtype = np.dtype(tf.as_dtype(extractor.output.dtype).as_numpy_dtype)
    shape = (start + len(validation), *extractor.output_shape[1:])
    # Which images an epoch visits depends on the number of GPUs, which another machine may have had.
    if not file.exists() or np.load(file, mmap_mode="r").shape != shape:
        _compute(extractor, data.images, [*parts, (data.val.rows, None)], file, shape, dtype, batch_size)
    return TrainingData(
        np.lib.format.open_memmap(file, mode="r").view(dtype),
        LabelledRows(np.stack(rows), data.train.labels, data.train.targets),
        LabelledRows(validation, data.val.labels),
    )


def _compute(
    extractor: keras.Model,
    images: npt.NDArray[Any],
    parts: list[tuple[npt.NDArray[np.int64], Callable[[Any, Any], Any] | None]],
    file: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    batch_size: int,
) -> None:
    """Write the features of the images in some rows, each part with its own random changes, to `file`."""
    _require_room(file, int(np.prod(shape)) * dtype.itemsize)
    step, done = 0, 0
    with atomic_file(file) as temporary:
        # The format knows no bfloat16, only its bits.
        stored = np.dtype(np.uint16) if dtype == tf.bfloat16.as_numpy_dtype else dtype
        features = np.lib.format.open_memmap(temporary, mode="w+", dtype=stored, shape=shape)
        for rows, augment in parts:
            for start in range(0, len(rows), batch_size):
                batch = np.asarray(images[rows[start : start + batch_size]])
                if augment is not None:
                    batch = np.asarray(augment(batch, tf.constant(step, tf.int64)))
                    step += 1
                found = predict_batch(extractor, batch)
                features[done : done + len(batch)] = np.asarray(found, dtype).view(stored)
                done += len(batch)
        features.flush()


def _require_room(file: Path, needed: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(file.parent).free
    # A full disk would end the process without a word: the file is written through memory.
    if needed > free:
        raise FerflowError(
            f"the features of the frozen base take {needed / 1e9:.1f} GB, and {file.parent} has "
            f"{free / 1e9:.1f} GB left: make room, or lower samples_per_epoch or cached_views."
        )
