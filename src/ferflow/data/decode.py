"""One image in, one gray picture out, or the reason why not.

NumPy is not imported: the processes that decode would take three times as long to start.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias, TypeVar, cast

from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from ferflow.data.arrays import Images

T = TypeVar("T")
#: Left, top, right and bottom in pixels, as in `ferflow.data.formats.Box`.
Edges: TypeAlias = tuple[int, int, int, int]

#: The formats of photographs. Pillow reads others, too: some with the help of another program, which a
#: stranger's file must not start (EPS starts Ghostscript), some that it decodes before their size is known
#: (ICO), and some that are no pictures (HDF5, GRIB).
FORMATS: Final = (
    "AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "PSD", "QOI", "SGI", "SUN",
    "TGA", "TIFF", "WEBP",
)  # fmt: skip
_MAX_PIXELS: Final = 89_000_000
#: Formats whose first picture is the photograph, and whose others are views, previews or layers of it.
_FIRST_IS_WHOLE: Final = frozenset({"MPO", "PSD"})
#: Opening a pipe would wait for someone to write into it.
_DO_NOT_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
_ORIENTATION_TAG: Final = 0x0112
_ORIENTATION_IS_TOLD_BY: Final = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
#: How a picture is turned upright, by its EXIF orientation.
_UPRIGHT: Final[dict[Any, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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


def gray_picture(content: str | Path | Images) -> Image.Image:
    """Return an image as people see it, upright and in gray (mode `L`), in its own size.

    A file is judged by its content, not its name. It is turned as its EXIF data says, laid over white
    where it is transparent, as viewers show it, and converted to gray (ITU-R 601 luma; of 16 bits the
    upper 8 are kept).

    Args:
        content: A file in one of `FORMATS`, or gray levels, uint8 of shape (H, W).

    Raises:
        RejectedImageError: The file cannot be read, is empty, not an image, damaged, animated, of a size
            no photograph has, or has levels or colours without a rule for gray.
    """
    if not isinstance(content, (str, Path)):
        return Image.fromarray(content)
    with open(open_file(content), "rb") as stream:
        return through_pillow(stream, gray)


def face(picture: Image.Image, size: int, box: Edges | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Return a gray picture, or a part of it, at size × size pixels, and its own (width, height).

    Args:
        picture: An image of mode `L`.
        size: Height and width of the result in pixels; it is resampled unless it has them already.
        box: The part, in pixels of the upright picture: what annotation tools show and store. What of it
            lies outside of the picture is cut off. None means all of the picture.

    Raises:
        RejectedImageError: Nothing of the box lies inside the picture.
    """
    if box is not None:
        picture = _crop(picture, box)
    original = picture.size
    if original != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return picture, original


def _crop(picture: Image.Image, box: Edges) -> Image.Image:
    left, top, right, bottom = box
    inside = (max(left, 0), max(top, 0), min(right, picture.width), min(bottom, picture.height))
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise RejectedImageError(
            f"its box ({left}, {top}, {right}, {bottom}) is empty or outside of the image "
            f"({picture.width}×{picture.height} pixels)",
            "correct the box (left, top, right, bottom), or remove its row",
        )
    return picture.crop(inside)


def open_file(file: str | Path) -> int:
    """Return the descriptor of a regular file that is not empty, to be closed by the caller.

    Raises:
        RejectedImageError: It is missing, empty, something else than a file, or may not be read.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | _DO_NOT_WAIT)
        status = os.fstat(descriptor)
    except FileNotFoundError:
        raise RejectedImageError("missing file", "copy it from its source, or remove what names it") from None
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise RejectedImageError(
            f"unreadable file ({problem})", "make it readable for this user, or remove it"
        ) from None
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(status.st_mode):
        raise RejectedImageError("empty file", "copy it again from its source")
    raise RejectedImageError("not a regular file", "put the image itself in its place")


def through_pillow(source: BinaryIO | Image.Image, finish: Callable[[Image.Image], T]) -> T:
    """Return what `finish` makes of the one picture in a file, upright as its EXIF data says.

    Args:
        source: An encoded image, or one that Pillow has opened already.
        finish: What is made of it while it is open; one problem of the image may come up there, too.

    Raises:
        RejectedImageError: As of `gray_picture`.
    """
    try:
        if isinstance(source, Image.Image):
            return finish(_whole_picture(source))
        with Image.open(source, formats=FORMATS) as image:
            return finish(_whole_picture(image))
    except (RejectedImageError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RejectedImageError("too many pixels", "scale it down below 89 megapixels") from None
    except UnidentifiedImageError:
        raise RejectedImageError("not an image", "convert it to JPEG or PNG, or remove it") from None
    except Exception as error:
        # Pillow's plug-ins raise whatever comes up on a damaged file; no one file may stop an ingest.
        raise RejectedImageError(f"damaged image ({error})", "copy it again from its source") from None


def _whole_picture(image: Image.Image) -> Image.Image:
    """Return the one picture in an image, upright."""
    if image.width * image.height > _MAX_PIXELS:
        # Pillow itself only warns up to twice as many.
        raise Image.DecompressionBombError
    _refuse_frames(image)
    image.load()
    return _upright(image)


def _refuse_frames(image: Image.Image) -> None:
    if getattr(image, "is_animated", False) and image.format not in _FIRST_IS_WHOLE:
        frames = getattr(image, "n_frames", 0)
        raise RejectedImageError(
            f"{frames} frames in one file",
            "export the frame that shows the expression as an image of its own",
        )


def _upright(image: Image.Image) -> Image.Image:
    method = _UPRIGHT.get(image.getexif().get(_ORIENTATION_TAG))
    if method is None:
        return image
    turned = image.transpose(method)
    # Or it would be turned again by whoever reads it once more.
    for told in _ORIENTATION_IS_TOLD_BY:
        turned.info.pop(told, None)
    return turned


def gray(image: Image.Image) -> Image.Image:
    """Return an image in gray (mode `L`), as `gray_picture` says.

    Raises:
        RejectedImageError: It has levels or colours without a rule for gray.
    """
    return _converted(image, "L")


def colour(image: Image.Image) -> Image.Image:
    """Return an image in colour (mode `RGB`), whose gray is that of `gray`.

    Raises:
        RejectedImageError: As of `gray`.
    """
    return _converted(image, "RGB")


def _converted(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "F":
        raise RejectedImageError("floating-point gray levels", "save it with 8 bits per channel")
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow would clip at 255, which leaves 16-bit images white.
        levels = image.convert("I")
        low, high = cast(tuple[int, int], levels.getextrema())
        if low < 0 or high > 0xFFFF:
            raise RejectedImageError("gray levels beyond 16 bits", "save it with 8 bits per channel")
        return levels.point(lambda level: level * (1 / 256)).convert("L").convert(mode)
    try:
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image.convert("RGBA"))
            image = white
        return image.convert(mode)
    except ValueError:
        raise RejectedImageError(f"colours stored as {image.mode}", "save it in RGB or gray") from None
