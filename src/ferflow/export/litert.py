"""A Keras model as a LiteRT (TensorFlow Lite) file, float or int8; what it is stands in the file."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, Final

import keras
import tensorflow as tf

from ferflow.data.arrays import Images
from ferflow.export.failures import told_as
from ferflow.export.graph import function_of
from ferflow.stage import heavy_imports

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def to_litert(model: keras.Model, metadata: Mapping[str, str], calibration: Images | None = None) -> bytes:
    """Return the bytes of a LiteRT file.

    Args:
        model: Takes raw uint8 images (N, H, W, C), gives float32 probabilities (N, classes).
        metadata: What the file says of itself, by name.
        calibration: Training images, uint8 (N, H, W, C), for int8; None for float32.

    Raises:
        FerflowError: LiteRT has no operation for a part of the model.
    """
    # The converter writes lines of its own to the process's stderr.
    with (
        told_as("LiteRT cannot hold this model"),
        heavy_imports(),
        tempfile.TemporaryDirectory() as folder,
    ):
        _save(model, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if calibration is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: _one_by_one(calibration)
        content = bytes(converter.convert())
    return _with_metadata(content, metadata)


def _save(model: keras.Model, folder: str) -> None:
    function, signature = function_of(model)
    holder = tf.Module()
    # Without them the converter would see a network without weights, and convert it.
    holder.variables_of_model = [weight.value for weight in model.weights]
    tf.saved_model.save(holder, folder, signatures=function.get_concrete_function(*signature))


def _one_by_one(images: Images) -> Iterator[list[Any]]:
    return ([images[row : row + 1]] for row in range(len(images)))


def _with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return a file that is a zip archive too, as LiteRT's own tools put labels into a model."""
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        # As JSON as a whole and as one label a line: the latter is what apps on phones read.
        labels = "\n".join(json.loads(metadata["labels"])) + "\n"
        told = json.dumps(dict(sorted(metadata.items())), indent=2, ensure_ascii=False) + "\n"
        archive.writestr(zipfile.ZipInfo("labels.txt", _EPOCH), labels)
        archive.writestr(zipfile.ZipInfo("metadata.json", _EPOCH), told)
    return stream.getvalue()
