"""Whatever a caller has for an image, as a picture: in gray as the models were trained on, and in colour."""

from __future__ import annotations

import base64
import binascii
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from ferflow.data.decode import RejectedImageError, colour, gray, open_file, through_pillow
from ferflow.errors import FerflowError

#: A file's path, its content as bytes or as a `data:` address in base64, a picture of Pillow's, or uint8
#: levels of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4): gray, RGB, RGBA.
OneImage: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8]"
#: One, several, or uint8 levels of shape (N, H, W, C).
ImageOrImages: TypeAlias = "OneImage | Sequence[OneImage]"

_CHANNELS = (1, 3, 4)
_DATA_ADDRESS = "data:"
_HOW_TO_GIVE_LEVELS = "give uint8 levels from 0 to 255, of shape (H, W), (H, W, 1), (H, W, 3) or (N, H, W, C)"


@dataclass(frozen=True, slots=True)
class Photograph:
    """A picture as people see it, upright.

    Attributes:
        gray: In mode `L`, as `ferflow.data.decode.gray_picture` makes it of a training image.
        colour: In mode `RGB`; None unless it was asked for.
    """

    gray: Image.Image
    colour: Image.Image | None


def one_by_one(images: ImageOrImages) -> Iterator[tuple[str, OneImage]]:
    """Yield each image with what it is called: a file by its path, another by its place, `#0` first.

    Raises:
        FerflowError: One is nothing that holds an image, or an array of other levels or of another shape.
    """
    for place, image in enumerate(_listed(images)):
        if isinstance(image, np.ndarray):
            _require_levels(image)
        elif not isinstance(image, (str, os.PathLike, bytes, Image.Image)):
            raise FerflowError(
                f"an image is a {type(image).__name__}: give a path, a file's content as bytes, a picture of "
                "Pillow's or an array."
            )
        named = isinstance(image, (str, os.PathLike)) and not _is_data_address(image)
        yield (os.fsdecode(image) if named else f"#{place}"), image  # type: ignore[arg-type]


def read_photograph(image: OneImage, *, in_colour: bool = False) -> Photograph:
    """Return one image as a picture.

    Args:
        image: See `OneImage`; files are judged by their content.
        in_colour: Whether colours are needed beside gray.

    Raises:
        RejectedImageError: As of `gray_picture`, or a `data:` address is not in base64.
    """

    def finish(picture: Image.Image) -> Photograph:
        return Photograph(gray(picture), colour(picture) if in_colour else None)

    # Pillow's remarks on images that it reads all the same. For the process: threads that each restore what
    # was before would restore it in the wrong order.
    warnings.filterwarnings("ignore", module="PIL")
    if isinstance(image, np.ndarray):
        return finish(Image.fromarray(image[..., 0] if image.shape[-1:] == (1,) else image))
    if isinstance(image, Image.Image):
        return through_pillow(image, finish)
    if isinstance(image, bytes):
        return through_pillow(io.BytesIO(_not_empty(image)), finish)
    if _is_data_address(image):
        return through_pillow(io.BytesIO(_not_empty(decoded_base64(str(image)))), finish)
    with os.fdopen(open_file(os.fsdecode(image)), "rb") as stream:
        return through_pillow(stream, finish)


def decoded_base64(text: str) -> bytes:
    """Return the content of a file that is given as text.

    Args:
        text: Base64, broken into lines or not, with `data:…;base64,` in front of it or not.

    Raises:
        RejectedImageError: It is something else.
    """
    header, comma, content = text.rpartition(",")
    try:
        if comma and not (header.startswith(_DATA_ADDRESS) and header.endswith(";base64")):
            raise binascii.Error
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise RejectedImageError(
            "not a file in base64",
            "give the file's content in base64, with data:image/png;base64, before it or not",
        ) from None


def _listed(images: ImageOrImages) -> Sequence[OneImage]:
    if isinstance(images, np.ndarray) and images.ndim == 4:
        return list(images)
    if isinstance(images, Sequence) and not isinstance(images, (str, bytes)):
        return images
    return [images]


def _require_levels(image: npt.NDArray[Any]) -> None:
    if image.dtype != np.uint8:
        raise FerflowError(f"an image is an array of {image.dtype}: {_HOW_TO_GIVE_LEVELS}.")
    fits = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in _CHANNELS)
    if not fits or not image.size:
        raise FerflowError(f"an image is an array of shape {image.shape}: {_HOW_TO_GIVE_LEVELS}.")


def _is_data_address(image: object) -> bool:
    return isinstance(image, str) and image.startswith(_DATA_ADDRESS)


def _not_empty(content: bytes) -> bytes:
    if not content:
        raise RejectedImageError("empty file", "copy it again from its source")
    return content
