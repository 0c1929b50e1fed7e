"""Exported files, opened as who uses them would: on one thread, images in, probabilities out."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime
import tensorflow as tf

from ferflow.data.arrays import Images
from ferflow.export.graph import INPUT

Probabilities: TypeAlias = npt.NDArray[np.float32]
Classify: TypeAlias = Callable[[Images], Probabilities]

_BATCH: Final = 64
_SECONDS: Final = 1.0
_MOST_CALLS: Final = 300


def onnx_classifier(content: bytes) -> Classify:
    """Return what an ONNX file makes of uint8 images (N, H, W, C), on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(None, {INPUT: images})[0])


def litert_classifier(content: bytes) -> Classify:
    """Return what a LiteRT file makes of uint8 images (N, H, W, C), on one thread."""
    with warnings.catch_warnings():
        # TensorFlow's own interpreter is to become a package of its own.
        warnings.simplefilter("ignore", UserWarning)
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
    (image,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    shape: tuple[int, ...] = ()

    def classify(images: Images) -> Probabilities:
        nonlocal shape
        if images.shape != shape:
            interpreter.resize_tensor_input(image["index"], images.shape)
            interpreter.allocate_tensors()
            shape = images.shape
        interpreter.set_tensor(image["index"], images)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(answer["index"]))

    return classify


def in_batches(classify: Classify, images: Images, batch: int = _BATCH) -> Probabilities:
    """Return the probabilities of all images, computed batch by batch."""
    starts = range(0, len(images), batch)
    return np.concatenate([classify(np.ascontiguousarray(images[start : start + batch])) for start in starts])


def milliseconds_per_image(classify: Classify, images: Images) -> float:
    """Return the median time of an image that comes alone, to three significant digits."""
    single: list[Any] = [np.ascontiguousarray(images[row : row + 1]) for row in range(min(len(images), 50))]
    for image in single[:3]:
        classify(image)
    times: list[float] = []
    while not times or (sum(times) < _SECONDS and len(times) < _MOST_CALLS):
        start = time.perf_counter()
        classify(single[len(times) % len(single)])
        times.append(time.perf_counter() - start)
    return float(f"{1000 * statistics.median(times):.3g}")
