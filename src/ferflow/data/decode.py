"""One image file in, one gray uint8 array out, or the reason why not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ferflow.data.arrays import Images

_MAX_PIXELS: Final = 89_000_000


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
    converted to gray (ITU-R 601 luma; transparency is ignored, 16 bits keep their upper 8) and, unless
    it has the size already, resampled.

    Args:
        file: An image in any format that Pillow reads.
        size: Height and width of the result in pixels.

    Raises:
        RejectedImageError: The file is empty, not an image, damaged, or of a size no photograph has.
    """
    try:
        with Image.open(file) as image:
            original = image.size
            if image.width * image.height > _MAX_PIXELS:
                # Pillow itself only warns up to twice as many.
                raise Image.DecompressionBombError
            image.load()
            gray = _to_gray(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RejectedImageError("too many pixels", "scale it down below 89 megapixels") from None
    except UnidentifiedImageError:
        if file.stat().st_size == 0:
            raise RejectedImageError("empty file", "copy it again from its source") from None
        raise RejectedImageError("not an image", "remove it from the data set") from None
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's plug-ins raise whatever comes up on a damaged file; no one file may stop an ingest.
        raise RejectedImageError(f"damaged image ({error})", "copy it again from its source") from None
    if gray.size != (size, size):
        gray = gray.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(gray, dtype=np.uint8)[:, :, np.newaxis], original


def _to_gray(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow would clip at 255, which leaves 16-bit images white.
        return Image.fromarray(np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8))
    return image.convert("L")
