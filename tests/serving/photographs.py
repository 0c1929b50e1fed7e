"""Photographs for tests: NASA's of an astronaut (public domain) in many ways, and what has no face."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image
from skimage import data

#: Left, top, right and bottom of the square from the forehead to the chin, set by hand in the photograph.
ASTRONAUT_FACE: Final = (173, 70, 277, 174)
_HEAD: Final = (130, 20, 320, 240)
_WALL: Final = (200, 190, 180)


def astronaut(side: int = 512) -> Image.Image:
    """Return the photograph in colour, at side × side pixels."""
    return Image.fromarray(data.astronaut()).resize((side, side), Image.Resampling.LANCZOS)


def head(width: int, *, turned: float = 0, mirrored: bool = False) -> Image.Image:
    """Return the astronaut's head before the photograph's background, `width` pixels wide.

    Args:
        width: In pixels; the height is 22/19 of it.
        turned: Degrees, counter-clockwise.
        mirrored: Left and right exchanged.
    """
    picture = Image.fromarray(data.astronaut())
    centre = ((_HEAD[0] + _HEAD[2]) / 2, (_HEAD[1] + _HEAD[3]) / 2)
    picture = picture.rotate(turned, Image.Resampling.BICUBIC, center=centre, fillcolor=_WALL).crop(_HEAD)
    if mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return picture.resize((width, width * 22 // 19), Image.Resampling.LANCZOS)


def group(*widths: int, height: int = 480, gap: int = 40) -> Image.Image:
    """Return heads of these widths side by side, every second mirrored, every third turned a little."""
    picture = Image.new("RGB", (sum(widths) + gap * (len(widths) + 1), height), _WALL)
    left = gap
    for place, width in enumerate(widths):
        one = head(width, turned=10 if place % 3 == 2 else 0, mirrored=place % 2 == 1)
        picture.paste(one, (left, (height - one.height) // 2))
        left += width + gap
    return picture


def without_faces() -> dict[str, Image.Image]:
    """Return a cat, things, textures and noise, by name."""
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    pictures = {
        "cat": data.chelsea(),
        "coffee": data.coffee(),
        "rocket": data.rocket(),
        "brick": data.brick(),
        "noise": noise,
        "gray": np.full((480, 640), 128, np.uint8),
    }
    return {name: Image.fromarray(levels).convert("RGB") for name, levels in pictures.items()}
