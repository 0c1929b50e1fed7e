"""The images of one HTTP request, or why it is refused.

MLflow's own server casts what it is given: 0.5 becomes 0, "12" becomes 12, and the answer is a wrong one.
Here nothing is cast, and image files may stand where arrays may.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from ferflow.data.arrays import Images
from ferflow.data.decode import FORMATS, RejectedImageError, face
from ferflow.serving.limits import USUAL
from ferflow.serving.photographs import decoded_base64, read_photograph

#: MLflow has two names for the same thing.
KEYS: Final = ("inputs", "instances")
_HOW_TO_ASK: Final = (
    'send {"inputs": [...]}: a list of images, each an array of gray levels or a file in base64'
)
#: Lists in lists, of what people take for an image.
_DEEPEST: Final = 5
_LEVELS: Final = "whole numbers from 0 to 255, not scaled"


class RefusedError(Exception):
    """A request that is not answered.

    Attributes:
        status: Of the HTTP response.
        message: What is wrong and what to send instead, in one line.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Expected:
    """What a request may hold.

    Attributes:
        image_shape: (H, W, C) of the model's images.
        most_images: In one request.
        most_pixels: Of all image files in one request.
    """

    image_shape: tuple[int, int, int]
    most_images: int = USUAL.images
    most_pixels: int = USUAL.pixels


def images_of(body: bytes, content_type: str, expected: Expected) -> Images:
    """Return the images of a request, uint8 of shape (N, H, W, C).

    Args:
        body: JSON (`{"inputs": [...]}`, each image an array of shape (H, W, C) or a file in base64), or one
            image file.
        content_type: `application/json`, or `image/…` for a file, whose kind is seen from its content.
        expected: What the model takes.

    Raises:
        RefusedError: There is anything else in it.
    """
    kind, _, parameters = content_type.lower().partition(";")
    if kind.strip().startswith("image/"):
        _require_few_pixels([body], expected)
        return _decoded(body, expected.image_shape, "the image")[None]
    if kind.strip() != "application/json":
        raise RefusedError("Content-Type is neither application/json nor image/jpeg or another image's", 415)
    if "charset" in parameters and "utf-8" not in parameters:
        raise RefusedError("JSON is read as UTF-8 only", 415)
    _require_few_values(body, expected)
    listed = _listed(body)
    if len(listed) > expected.most_images:
        raise RefusedError(
            f"{len(listed)} images in one request: send at most {expected.most_images} at a time", 413
        )
    names = [f"image {place}" for place in range(len(listed))]
    given = [
        _from_base64(each, name) if isinstance(each, str) else _levels(each, expected.image_shape, name)
        for each, name in zip(listed, names, strict=True)
    ]
    _require_few_pixels([each for each in given if isinstance(each, bytes)], expected)
    images = [
        _decoded(each, expected.image_shape, name) if isinstance(each, bytes) else each
        for each, name in zip(given, names, strict=True)
    ]
    return np.stack(images)


def _require_few_values(body: bytes, expected: Expected) -> None:
    """Refuse JSON that holds more lists or values than the images need: reading it would take its time."""
    height, width, channels = expected.image_shape
    lists = 1 + expected.most_images * (1 + height + height * width)
    commas = expected.most_images * (1 + height * width * channels)  # one more, for a `data:` address
    if body.count(b"[") > lists or body.count(b",") > commas:
        raise RefusedError(
            f"the body holds more values than {expected.most_images} images of shape {expected.image_shape}: "
            f"send at most {expected.most_images} at a time",
            413,
        )


def _require_few_pixels(files: list[bytes], expected: Expected) -> None:
    """Refuse files that would take much memory once they are decoded: looked at before any is."""
    pixels = 0
    for file in files:
        pixels += _pixels(file)
        if pixels > expected.most_pixels:
            raise RefusedError(
                f"the images have more than {expected.most_pixels / 1e6:g} megapixels together: "
                "scale them down, or send fewer at a time",
                413,
            )


def _pixels(file: bytes) -> int:
    """Return how many pixels a file's header tells of; 0 if it is none that can be decoded."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(file), formats=FORMATS) as image:
            return image.width * image.height
    except Image.DecompressionBombError:
        return sys.maxsize
    except Exception:
        # Pillow's plug-ins raise whatever comes up; decoding will tell what it is.
        return 0


def _listed(body: bytes) -> list[Any]:
    try:
        content = json.loads(body)
    except RecursionError:
        raise RefusedError("the JSON is nested too deeply") from None
    except ValueError as error:
        where = f" ({error.msg} at byte {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise RefusedError(f"the body is not JSON{where}: {_HOW_TO_ASK}") from None
    if not isinstance(content, dict) or len(content) != 1 or not set(content) <= set(KEYS):
        raise RefusedError(f"the body is not an object with the one key 'inputs': {_HOW_TO_ASK}")
    (listed,) = content.values()
    if not isinstance(listed, list):
        raise RefusedError(f"'inputs' is not a list: {_HOW_TO_ASK}")
    if not listed:
        raise RefusedError(f"'inputs' is empty: {_HOW_TO_ASK}")
    return listed


def _levels(given: Any, shape: tuple[int, int, int], name: str) -> Images:
    if not isinstance(given, list):
        raise RefusedError(f"{name} is neither an array nor a file in base64")
    found, values = _flattened(given)
    if any(isinstance(value, list) for value in values):
        raise RefusedError(
            f"{name} is not an array of shape {shape}: its lists differ in length or are too deep"
        )
    if found != shape:
        raise RefusedError(f"{name} has shape {found}, not {shape}")
    # By its type: JSON's `true` is a number to Python.
    if not all(type(value) is int and 0 <= value <= 255 for value in values):
        raise RefusedError(f"{name} has other levels than {_LEVELS}")
    return np.array(values, dtype=np.uint8).reshape(shape)


def _flattened(given: list[Any]) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape of lists in lists, and what is in them, in order.

    NumPy would do it, but make room for strings as long as the longest, as often as there are values.

    Returns:
        Among the values are lists if those differ in length, or are deeper than any image's.
    """
    shape, values = [len(given)], given
    while len(shape) < _DEEPEST and values and all(isinstance(value, list) for value in values):
        lengths = {len(value) for value in values}
        if len(lengths) > 1:
            break
        shape.extend(lengths)
        values = [inner for value in values for inner in value]
    return tuple(shape), values


def _from_base64(text: str, name: str) -> bytes:
    try:
        return decoded_base64(text)
    except RejectedImageError as error:
        raise _unusable(name, error) from None


def _decoded(file: bytes, shape: tuple[int, int, int], name: str) -> Images:
    height, _, channels = shape
    try:
        picture = read_photograph(file).gray
    except RejectedImageError as error:
        raise _unusable(name, error) from None
    levels = np.asarray(face(picture, height)[0], dtype=np.uint8)
    return np.repeat(levels[:, :, None], channels, axis=2)


def _unusable(name: str, error: RejectedImageError) -> RefusedError:
    return RefusedError(f"{name} cannot be used, {error.reason}: {error.remedy}")
