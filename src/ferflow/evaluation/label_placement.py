"""Labels beside marks of a figure, where they cover neither marks nor each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

_FAMILY: Final = "DejaVu Sans"  # of the house style
_DIRECTIONS: Final = 24
_GAPS: Final = (0.0, 0.06, 0.12, 0.2, 0.3, 0.42, 0.56, 0.72, 0.9, 1.1)  # inches beyond the mark's own room
_ROUNDS: Final = 4  # after the first, each label may move again, now that it knows all others
_COVERED: Final = 400.0  # what a square inch under a label costs, in inches of distance
_CROSSED: Final = 3.0  # what a label costs that the line to this one runs through
_ALONG: Final = tuple(step / 12 for step in range(1, 12))  # where on that line is looked


class Box(NamedTuple):
    """A rectangle along the axes, in inches."""

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Box:
        """Return the box of a size whose middle is (x, y)."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def shared(self, other: Box) -> float:
        """Return the area that two boxes have in common, in square inches."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """Return the point of the box that is nearest to (x, y)."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def place_labels(
    marks: Sequence[Box], sizes: Sequence[tuple[float, float]], obstacles: Sequence[Box], area: Box
) -> list[Box]:
    """Return a box for each mark's label: near it, inside `area`, and where possible over nothing else.

    Each label in turn takes the cheapest of a few hundred places around its mark; then all do so again,
    knowing where the others are. Nothing is drawn by chance.

    Args:
        marks: What is labelled; those that come first choose first.
        sizes: Width and height of each mark's label, in inches.
        obstacles: What else should not be covered.
        area: Where labels may be.
    """
    placed: list[Box | None] = [None] * len(marks)
    for _ in range(_ROUNDS):
        before = list(placed)
        for number, (mark, size) in enumerate(zip(marks, sizes, strict=True)):
            labels = [box for other, box in enumerate(placed) if box and other != number]
            others = [box for other, box in enumerate(marks) if other != number]
            taken = [*labels, *others, *obstacles]
            placed[number] = min(
                _candidates(mark, size),
                key=lambda box: _cost(box, mark, taken, labels, area),
            )
        if placed == before:
            break
    return [box for box in placed if box]


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in the house's font, in inches.

    Args:
        text: What is written.
        size: In points.
        bold: Whether it is written in bold.
    """
    font = FontProperties(family=_FAMILY, weight="bold" if bold else "normal")
    return float(TextPath((0, 0), text, size=size, prop=font).get_extents().width) / 72


def _candidates(mark: Box, size: tuple[float, float]) -> list[Box]:
    x, y = (mark.left + mark.right) / 2, (mark.bottom + mark.top) / 2
    reach = ((mark.right - mark.left + size[0]) / 2, (mark.top - mark.bottom + size[1]) / 2)
    boxes = []
    for gap in _GAPS:
        for step in range(_DIRECTIONS):  # the first is to the right
            angle = 2 * math.pi * step / _DIRECTIONS
            across, up = math.cos(angle), math.sin(angle)
            # On the outline of a rectangle around the mark, so that a label touches it on one side.
            longest = max(abs(across), abs(up))
            boxes.append(
                Box.around(
                    x + across / longest * (reach[0] + gap), y + up / longest * (reach[1] + gap), *size
                )
            )
    return boxes


def _cost(box: Box, mark: Box, taken: Sequence[Box], labels: Sequence[Box], area: Box) -> float:
    own = (box.right - box.left) * (box.top - box.bottom)
    covered = sum(box.shared(other) for other in taken) + own - box.shared(area)
    x, y = (mark.left + mark.right) / 2, (mark.bottom + mark.top) / 2
    end = box.nearest(x, y)
    crossed = sum(_crosses((x, y), end, other) for other in labels)
    # Of places as near as each other, the one at the right; if not there, rather above than below.
    higher = (box.bottom + box.top) / 2 - y
    unusual = 0.15 * (end[0] < x) + 0.03 * (higher < -0.01) + 0.05 * abs(higher)
    return _COVERED * covered + _CROSSED * crossed + math.hypot(end[0] - x, end[1] - y) + unusual


def _crosses(start: tuple[float, float], end: tuple[float, float], box: Box) -> bool:
    points = ((start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1])) for t in _ALONG)
    return any(box.left < x < box.right and box.bottom < y < box.top for x, y in points)
