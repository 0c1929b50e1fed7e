"""One image file in, one gray uint8 array out, or the reason why not."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ferflow.data.arrays import Images


class RejectedImageError(Exception):
    """An image that cannot be used.

    Attributes:
        reason: What is wrong with it.
        remedy: What its owner can do.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def decode(file: Path, size: int) -> tuple[Images, tuple[int, int]]:
    """Return an image file as gray levels, uint8 of shape (size, size, 1), and its original (width, height).

    The file is judged by its content, not its name. It is turned upright as its EXIF data says,
    converted to gray (ITU-R 601 luma) and, unless it has the size already, resampled.

    Args:
        file: An image in any format that Pillow reads.
        size: Height and width of the result in pixels.

    Raises:
        RejectedImageError: The file is empty, not an image, damaged, or of a size no photograph has.
    """
    try:
        # Pillow only warns of a moderate decompression bomb; we never want one.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                original = image.size
                image.load()
                gray = ImageOps.exif_transpose(image).convert("L")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RejectedImageError("too many pixels", "scale it down below 89 megapixels") from None
    except UnidentifiedImageError:
        if file.stat().st_size == 0:
            raise RejectedImageError("empty file", "copy it again from its source") from None
        raise RejectedImageError("not an image", "remove it from the data set") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        # The plug-ins of Pillow raise all of these on damaged files.
        raise RejectedImageError(f"damaged image ({error})", "copy it again from its source") from None
    if gray.size != (size, size):
        gray = gray.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(gray, dtype=np.uint8)[:, :, np.newaxis], original
