"""What gets between the camera and a face: a hand, a bar, a lock of hair, a shadow."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ferflow.data.synthetic.canvas import Plane, Points, as_plane, curve, ellipse, shifted
from ferflow.data.synthetic.identity import Identity

_KINDS: Final = {"none": 0.83, "hand": 0.05, "bar": 0.03, "lock": 0.04, "shadow": 0.05}


def occlude(picture: Plane, who: Identity, rng: np.random.Generator) -> Plane:
    """Return a large picture, float (144, 144) in [0, 1], with something in the way or, mostly, nothing."""
    kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    side = -1 if rng.random() < 0.5 else 1
    if kind == "none":
        return picture
    image = Image.fromarray((picture * 255).astype(np.uint8))
    if kind == "hand":
        _hand(image, side, who.skin * 0.9, rng)
    elif kind == "bar":
        _bar(image, rng)
    elif kind == "lock":
        _lock(image, side, who.hair_tone, rng)
    else:
        _shadow(image, side, rng)
    return as_plane(image)


def _hand(image: Image.Image, side: int, skin: float, rng: np.random.Generator) -> None:
    pen = ImageDraw.Draw(image)
    x, y = image.width / 2 + side * rng.uniform(34, 58), rng.uniform(98, 138)
    for finger in range(4):
        root = (x + side * (finger - 1.5) * 9, y + 14)
        tip = (x - side * (16 - 10 * finger), y - 26 + 4 * abs(finger - 1.4))
        for width, tone in ((13, skin * 0.55), (9, skin)):
            pen.line([root, tip], fill=int(255 * tone), width=width)
            pen.polygon(_flat(ellipse(*tip, width / 2, width / 2)), fill=int(255 * tone))
    pen.polygon(_flat(ellipse(x, y + 32, 21, 26)), fill=int(255 * skin * 0.97))


def _bar(image: Image.Image, rng: np.random.Generator) -> None:
    top, lean = rng.uniform(0, image.width), rng.uniform(-40, 40)
    ends = [(top, -4), (top + lean, image.height + 4)]
    tone = int(rng.uniform(12, 230))
    ImageDraw.Draw(image).line(ends, fill=tone, width=int(rng.uniform(8, 18)))


def _lock(image: Image.Image, side: int, tone: float, rng: np.random.Generator) -> None:
    mask = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(mask)
    x = image.width / 2 + side * rng.uniform(20, 44)
    path = curve([(image.width / 2, 4), (x, 30), (x + side * 8, rng.uniform(62, 96))])
    for offset in range(-6, 7, 2):
        pen.line(_flat(shifted(path, offset, 0.4 * offset)), fill=235, width=2)
    image.paste(int(255 * tone), (0, 0, *image.size), mask.filter(ImageFilter.GaussianBlur(1)))


def _shadow(image: Image.Image, side: int, rng: np.random.Generator) -> None:
    mask = Image.new("L", image.size, 0)
    edge = image.width / 2 + side * rng.uniform(0, 34)
    beyond = (edge, 0, image.width, image.height) if side > 0 else (0, 0, edge, image.height)
    ImageDraw.Draw(mask).rectangle(beyond, fill=int(255 * rng.uniform(0.35, 0.65)))
    image.paste(0, (0, 0, *image.size), mask.filter(ImageFilter.GaussianBlur(7)))


def _flat(points: Points) -> list[float]:
    flat: list[float] = points.ravel().tolist()
    return flat
