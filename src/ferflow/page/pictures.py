"""Pictures that are part of a page: smaller than the files, and never fetched."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from ferflow.errors import FerflowError
from ferflow.page.inputs import Picture

_QUALITY: Final = 80  # faces look the same as without loss, at a fifth of the bytes
_TALLEST: Final = 16_000  # pixels; the format ends at 16,383, and a deep network is a tall drawing


def read_picture(path: Path, *, widest: int, photograph: bool) -> Picture | None:
    """Return a picture as it is embedded in a page, or None if there is no such file.

    Args:
        path: The file.
        widest: A wider picture is made smaller, in pixels.
        photograph: Whether it may lose what nobody sees; a drawing keeps its every pixel.

    Raises:
        FerflowError: The file is not a picture.
    """
    if not path.exists():
        return None
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError):
        raise FerflowError(f"{path} is not a picture: delete it and run `dvc repro`.") from None
    picture.thumbnail((widest, _TALLEST), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, format="webp", lossless=not photograph, quality=_QUALITY, method=4)
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{encoded}", picture.width, picture.height)
