"""What turns faces into probabilities: a Keras model, or an exported one that needs onnxruntime alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from ferflow.data.arrays import Images
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.stage import heavy_imports

if TYPE_CHECKING:
    import keras

_NOT_OURS: Final = "{path} is no model of ferflow's: {problem}."
#: Of an int8 network, whose probabilities are rounded.
_ROUNDING: Final = 0.02
Probabilities: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model that is ready to answer.

    Attributes:
        title: What people call it, e.g. `ferflow version 3 (cnn4)`.
        labels: The emotions in the order of its probabilities.
        image_shape: (H, W, C) of the faces that it takes.
        classify: Takes uint8 faces (N, H, W, C), gives float32 probabilities (N, classes).
        keras: The network, for those who look into it; None if it is an exported one.
        details: What is known of it, by name: registered model, version, alias, data set, scores.
    """

    title: str
    labels: tuple[str, ...]
    image_shape: tuple[int, int, int]
    classify: Callable[[Images], Probabilities]
    keras: keras.Model | None = None
    details: Mapping[str, str] = field(default_factory=dict)


def open_keras(
    path: Path, title: str, labels: tuple[str, ...] = EMOTIONS, details: Mapping[str, str] | None = None
) -> OpenedModel:
    """Open a .keras file.

    Args:
        path: The file.
        title: What people call the model.
        labels: The emotions in the order of its probabilities.
        details: See `OpenedModel`.

    Raises:
        FerflowError: It is missing, no Keras model, or not one of faces and these emotions.
    """
    if not path.is_file():
        raise FerflowError(f"{path} is missing: give the path of a .keras file.")
    with heavy_imports():
        from ferflow.models.inference import predict_batch
        from ferflow.models.saving import load_model

        try:
            model = load_model(path)
        except FerflowError:
            raise FerflowError(f"{path} is not a readable Keras model: was it written by ferflow?") from None
        height, width, channels = _image_shape(path, model)
        faces = np.zeros((1, height, width, channels), np.uint8)
        _require_probabilities(path, np.asarray(model(faces, training=False)), labels)

    def classify(faces: Images) -> Probabilities:
        return np.asarray(predict_batch(model, faces), dtype=np.float32)

    return OpenedModel(title, labels, (height, width, channels), classify, model, details or {})


def open_onnx(path: Path, threads: int | None = None) -> OpenedModel:
    """Open a model that `make export` wrote: its labels and its origin are in it.

    Args:
        path: The .onnx file.
        threads: How many one batch is computed on; None leaves it to onnxruntime.

    Raises:
        FerflowError: It is no such file, or onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise FerflowError(
            f"{path} needs onnxruntime, which is not installed: pip install 'ferflow[export]'"
        ) from None
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        known = session.get_modelmeta().custom_metadata_map
        labels = tuple(json.loads(known["labels"]))
        height, width, channels = json.loads(known["image_shape"])
    except (KeyError, ValueError, TypeError):
        raise FerflowError(
            f"{path} does not say what its classes are: was it written by `make export`?"
        ) from None
    except Exception as error:
        # onnxruntime has a class of its own for each kind of damage, derived from Exception alone.
        raise FerflowError(f"{path} is not a readable ONNX model ({str(error).splitlines()[0]}).") from None
    name = session.get_inputs()[0].name
    try:
        answer = session.run(None, {name: np.zeros((1, height, width, channels), np.uint8)})[0]
    except Exception:
        raise FerflowError(_NOT_OURS.format(path=path, problem="it does not take images of bytes")) from None
    if height != width:
        raise FerflowError(_NOT_OURS.format(path=path, problem="it does not take square images"))
    _require_probabilities(path, answer, labels)

    def classify(faces: Images) -> Probabilities:
        return np.asarray(session.run(None, {name: faces})[0], dtype=np.float32)

    origin = known.get("title") or path.name
    return OpenedModel(origin, labels, (height, width, channels), classify, None, known)


def _image_shape(path: Path, model: keras.Model) -> tuple[int, int, int]:
    """Return (H, W, C) of the images that a Keras model takes, if it takes such."""
    try:
        (taken,) = model.inputs
        _, height, width, channels = taken.shape
    except (ValueError, TypeError, AttributeError):
        raise FerflowError(_NOT_OURS.format(path=path, problem="it does not take images")) from None
    if taken.dtype != "uint8" or height is None or height != width:
        raise FerflowError(_NOT_OURS.format(path=path, problem="it does not take square images of bytes"))
    return height, width, channels


def _require_probabilities(path: Path, answer: Probabilities, labels: tuple[str, ...]) -> None:
    """Require that a model gives a probability for each label, by its answer to one image."""
    if answer.shape != (1, len(labels)):
        problem = f"it gives {answer.shape[1:]} numbers for {len(labels)} labels"
    elif answer.min() < 0 or abs(answer.sum() - 1) > _ROUNDING:
        problem = "what it gives are no probabilities"
    else:
        return
    raise FerflowError(_NOT_OURS.format(path=path, problem=problem))
