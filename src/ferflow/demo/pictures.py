"""What the page shows of a picture: itself, a face cut out of it, and where a network looked."""

from __future__ import annotations

import base64
import io
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image

#: More than a large screen shows of it.
_LONGEST_SIDE: Final = 1400
_QUALITY: Final = 88
#: As shown, on screens with two pixels for one.
_FACE_SIDE: Final = 240
_THUMBNAIL: Final = 128

#: From nothing over blue to yellow, on a gray face: far from skin, and told apart by all eyes.
_HEAT_COLORS: Final = ("#0b5a9600", "#0b5a968c", "#1f9e9ab3", "#ffe14dcc")
_HEAT: Final = LinearSegmentedColormap.from_list("ferflow_heat", _HEAT_COLORS)
#: The same for the page.
SCALE: Final = f"linear-gradient(to right, {', '.join(_HEAT_COLORS)})"


def whole(picture: Image.Image) -> str:
    """Return a picture for the page, as a `data:` address: no file is made of it."""
    share = _LONGEST_SIDE / max(picture.size)
    if share < 1:
        width, height = (max(1, round(share * side)) for side in picture.size)
        # A copy to shrink would be as large as the picture.
        picture = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _address(picture)


def thumbnail(content: bytes) -> str:
    """Return a small picture of a file for the page, as a `data:` address."""
    with Image.open(io.BytesIO(content)) as picture:
        small = picture.convert("RGB")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    return _address(small)


def of_face(face: Image.Image) -> str:
    """Return a face for the page, as a `data:` address."""
    return _address(_enlarged(face))


def with_heat(face: Image.Image, heat: npt.NDArray[np.float32]) -> str:
    """Return a face with what spoke for its emotion coloured, as a `data:` address.

    Args:
        face: In gray (mode `L`), of any size.
        heat: How much each place spoke for it, at least 0, of shape (H, W) of the network's images; drawn by
            its largest value, which is below 1 in the mean of several networks.
    """
    largest = float(heat.max(initial=0))
    heat = heat / largest if largest > 0 else heat
    gray = np.asarray(_enlarged(face), dtype=np.float64)[..., None]
    levels = Image.fromarray(heat.astype(np.float32)).resize(
        (_FACE_SIDE, _FACE_SIDE), Image.Resampling.BICUBIC
    )
    color: npt.NDArray[np.float64] = _HEAT(np.clip(np.asarray(levels), 0, 1))
    tint = color[..., 3:]
    tinted = gray * (1 - tint) + 255 * color[..., :3] * tint
    return _address(Image.fromarray(np.rint(tinted).astype(np.uint8)))


def _enlarged(face: Image.Image) -> Image.Image:
    return face.resize((_FACE_SIDE, _FACE_SIDE), Image.Resampling.BICUBIC)


def _address(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
