"""A gray drawing surface in face coordinates, and smooth curves to draw on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Points = npt.NDArray[np.float64]
Plane = npt.NDArray[np.float32]

#: Side of the square drawing surface and length of one face unit on it, in pixels: about three
#: times the size of the finished picture, whose reduction smooths every edge.
SIDE: Final = 192
UNIT: Final = 54.0


class Canvas:
    """Three layers that are drawn together: tones, creases of the skin, and what is a figure at all.

    Args:
        head_height: Scale of all heights; 1 is an average head.
        tone: Gray level from 0 to 1 with which the surface starts.
    """

    def __init__(self, head_height: float, tone: float) -> None:
        self.head_height = head_height
        self.tones = Image.new("L", (SIDE, SIDE), _level(tone))
        self._creases = Image.new("L", (SIDE, SIDE), 0)
        self._figure = Image.new("L", (SIDE, SIDE), 0)
        self._tones_pen = ImageDraw.Draw(self.tones)
        self._creases_pen = ImageDraw.Draw(self._creases)
        self._figure_pen = ImageDraw.Draw(self._figure)

    def pixels(self, points: Points) -> list[float]:
        """Return face coordinates, float (N, 2), as pixel positions x, y, x, y and so on."""
        flat: list[float] = (points * [UNIT, UNIT * self.head_height] + SIDE / 2).ravel().tolist()
        return flat

    def fill(self, outline: Points, tone: float, opacity: float = 1.0) -> None:
        """Fill a closed outline with a tone; with `opacity` below 1 what lies beneath shows through."""
        corners = self.pixels(outline)
        self._figure_pen.polygon(corners, fill=255)
        if opacity >= 1.0:
            self._tones_pen.polygon(corners, fill=_level(tone))
            return
        mask = Image.new("L", (SIDE, SIDE), 0)
        ImageDraw.Draw(mask).polygon(corners, fill=_level(opacity))
        self.tones.paste(_level(tone), (0, 0, SIDE, SIDE), mask.filter(ImageFilter.BoxBlur(2)))

    def inside(self, outline: Points, shapes: Sequence[tuple[Points, float]]) -> None:
        """Fill outlines in turn, `(outline, tone)`, but only where they lie inside `outline`."""
        mask = Image.new("L", (SIDE, SIDE), 0)
        ImageDraw.Draw(mask).polygon(self.pixels(outline), fill=255)
        layer = self.tones.copy()
        pen = ImageDraw.Draw(layer)
        for shape, tone in shapes:
            pen.polygon(self.pixels(shape), fill=_level(tone))
        self.tones.paste(layer, (0, 0), mask)

    def line(self, path: Points, width: float, tone: float) -> None:
        """Draw a line of a width in face units."""
        thickness = max(1, round(width * UNIT))
        self._tones_pen.line(self.pixels(path), fill=_level(tone), width=thickness, joint="curve")

    def crease(self, path: Points, depth: float, width: float = 0.035) -> None:
        """Fold the skin along a path; depth 0 leaves no trace, 1 is a deep fold."""
        if depth > 0.02:
            thickness = max(1, round(width * UNIT))
            self._creases_pen.line(
                self.pixels(path), fill=_level(min(depth, 1.0)), width=thickness, joint="curve"
            )

    def finished(self) -> tuple[Plane, Plane]:
        """Return the tones with their creases, and the figure's mask: both (SIDE, SIDE) in [0, 1]."""
        creases = as_plane(self._creases.filter(ImageFilter.GaussianBlur(1.6)))
        return as_plane(self.tones) * (1 - 0.75 * creases), as_plane(self._figure)


def as_plane(image: Image.Image) -> Plane:
    """Return a gray image as float32 (height, width) in [0, 1]."""
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def curve(points: Sequence[tuple[float, float]], *, closed: bool = False, steps: int = 8) -> Points:
    """Return a smooth path through points: a uniform Catmull-Rom spline.

    Args:
        points: At least two (x, y).
        closed: Whether the path returns to its first point.
        steps: Points per section.
    """
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        padded = np.vstack([knots[-1], knots, knots[0], knots[1]])
    else:
        padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    before, start, end, after = (padded[i : len(padded) - 3 + i, None, :] for i in range(4))
    t = (np.arange(steps) / steps)[None, :, None]
    path = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    sampled = path.reshape(-1, 2)
    return sampled if closed else np.vstack([sampled, knots[-1]])


def ellipse(x: float, y: float, width: float, height: float) -> Points:
    """Return the outline of an ellipse from its centre and its half axes."""
    angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    return np.column_stack([x + width * np.cos(angles), y + height * np.sin(angles)])


def shifted(points: Points, x: float, y: float) -> Points:
    """Return points moved by x and y."""
    moved: Points = points + np.array([x, y])
    return moved


def mirrored(right: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a closed sequence of points from its right half, given from top to bottom."""
    return [*right, *((-x, y) for x, y in reversed(right) if x != 0)]


def _level(tone: float) -> int:
    return min(max(round(tone * 255), 0), 255)
