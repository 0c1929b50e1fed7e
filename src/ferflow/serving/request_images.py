"""The images of one HTTP request, or why it is refused.

MLflow's own server casts what it is given: 0.5 becomes 0, "12" becomes 12, and the answer is a wrong one.
Here nothing is cast, and image files may stand where arrays may.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ferflow.data.arrays import Images
from ferflow.data.decode import RejectedImageError, face
from ferflow.serving.photographs import read_photograph

#: An ensemble of several networks answers so many in seconds.
MOST_IMAGES: Final = 256
#: MLflow has two names for the same thing.
KEYS: Final = ("inputs", "instances")
_HOW_TO_ASK: Final = (
    'send {"inputs": [...]}: a list of images, each an array of gray levels or a file in base64'
)
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
    """

    image_shape: tuple[int, int, int]
    most_images: int = MOST_IMAGES


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
        return _decoded(body, expected.image_shape, "the image")[None]
    if kind.strip() != "application/json":
        raise RefusedError("Content-Type is neither application/json nor image/jpeg or another image's", 415)
    if "charset" in parameters and "utf-8" not in parameters:
        raise RefusedError("JSON is read as UTF-8 only", 415)
    listed = _listed(body)
    if len(listed) > expected.most_images:
        raise RefusedError(
            f"{len(listed)} images in one request: send at most {expected.most_images} at a time", 413
        )
    images = [_image(each, expected.image_shape, f"image {place}") for place, each in enumerate(listed)]
    return np.stack(images)


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


def _image(given: Any, shape: tuple[int, int, int], name: str) -> Images:
    if isinstance(given, str):
        return _decoded(_from_base64(given, name), shape, name)
    if not isinstance(given, list):
        raise RefusedError(f"{name} is neither an array nor a file in base64")
    try:
        levels = np.array(given)
    except (ValueError, RecursionError):  # ragged, or deeper than arrays may be
        raise RefusedError(f"{name} is not an array of shape {shape}: its lists differ in length") from None
    if levels.shape != shape:
        raise RefusedError(f"{name} has shape {levels.shape}, not {shape}")
    if levels.dtype.kind not in "iu" or levels.min() < 0 or levels.max() > 255:
        raise RefusedError(f"{name} has other levels than {_LEVELS}")
    return levels.astype(np.uint8)


def _from_base64(text: str, name: str) -> bytes:
    header, comma, content = text.partition(",")
    encoded = content if comma and header.startswith("data:") else text
    try:
        # Programs like base64 break their output into lines.
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(f"{name} is a string, but no file in base64") from None


def _decoded(file: bytes, shape: tuple[int, int, int], name: str) -> Images:
    height, _, channels = shape
    try:
        picture = read_photograph(file).gray
    except RejectedImageError as error:
        raise RefusedError(f"{name} cannot be used, {error.reason}: {error.remedy}") from None
    levels = np.asarray(face(picture, height)[0], dtype=np.uint8)
    return np.repeat(levels[:, :, None], channels, axis=2)
