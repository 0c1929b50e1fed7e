"""A network on one page: what each of its stages gives, is made of, and costs.

Drawn by matplotlib alone: without graphviz, in the house style, and the same on every machine.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import keras
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from ferflow import style
from ferflow.models.inspection.stages import Stage, stages_of
from ferflow.models.inspection.words import SEPARATOR, words_for_shape

# In inches, the unit of the page's only axes.
_WIDTH: Final = 9.2
_SHAPES: Final = 0.92  # the middle of the column of shapes
_TEXT: Final = 1.75
_COSTS: Final = {"parameters": 6.35, "FLOPs": 7.85}
_BAR: Final = 0.75  # the longest
_PADDING: Final = 0.24  # of the figure, around the axes
_HEADING: Final = 0.3
_TITLE: Final = 0.17
_LINE: Final = 0.145
_SPACE: Final = 0.13  # above and below what is in a row

_LETTERS: Final = 78  # in a line of the column of text
_HARD_SPACE: Final = "\N{NO-BREAK SPACE}"

_FRONT, _TOP, _SIDE, _EDGE = "#d3e5f3", "#e9f2f9", "#a9cde6", "#3f8fc5"
_THIN: Final[dict[str, Any]] = {"color": style.MUTED, "linewidth": 0.9}


@style.house_style()
def architecture_figure(model: keras.Model, name: str) -> Figure:
    """Return the drawing of a network: a row for each stage, from the image down to the probabilities.

    Args:
        model: A functional model of fixed image size.
        name: What the model is called.
    """
    stages = stages_of(model)
    texts = [_wrapped(stage.lines) for stage in stages]
    heights = [
        max(_TITLE + _LINE * len(text), _size(stage.shape)[1]) + 2 * _SPACE
        for stage, text in zip(stages, texts, strict=True)
    ]
    total = _HEADING + sum(heights)
    figure = style.new_figure(
        9.6, total + _PADDING, f"{style.printable(name)}: architecture", _subtitle(model, stages)
    )
    axes = figure.add_subplot()
    style.remove_frame(axes)
    axes.set(xticks=[], yticks=[], xlim=(0, _WIDTH), ylim=(total, 0))
    axes.set_aspect("equal")
    _headings(axes)
    tops = [_HEADING + sum(heights[:number]) for number in range(len(stages))]
    for stage, text, top, height in zip(stages, texts, tops, heights, strict=True):
        axes.hlines(top, _TEXT, _WIDTH, color=style.FAINT, linewidth=0.8)
        _draw_shape(axes, stage.shape, top + height / 2)
        _draw_text(axes, stage, text, top + height / 2)
        _draw_costs(axes, stage, stages, top + height / 2)
    _draw_arrows(axes, stages, tops, heights)
    _draw_brackets(axes, stages, tops, heights)
    return figure


def _subtitle(model: keras.Model, stages: Sequence[Stage]) -> str:
    words = [f"{_short(model.count_params())} parameters"]
    counts = [stage.flops for stage in stages]
    if None not in counts:
        words.append(f"{_short(sum(count or 0 for count in counts))} FLOPs an image")
    return "  ·  ".join([*words, "feature maps: height × width × channels"])


def _wrapped(lines: Sequence[str]) -> list[str]:
    """Return the lines cut where one operation ends and the next begins."""
    wrapped = []
    for line in lines:
        whole = SEPARATOR.rstrip().replace(" ", _HARD_SPACE) + " "
        text = whole.join(word.replace(" ", _HARD_SPACE) for word in line.split(SEPARATOR))
        wrapped += textwrap.wrap(text, _LETTERS, subsequent_indent=3 * _HARD_SPACE, break_on_hyphens=False)
    return wrapped


def _headings(axes: Axes) -> None:
    look: dict[str, Any] = {"fontsize": 7.5, "color": style.MUTED, "va": "center"}
    axes.text(_TEXT, _HEADING / 2, "feature maps, and what makes them", **look)
    for words, left in _COSTS.items():
        axes.text(left, _HEADING / 2, words, **look)


def _draw_text(axes: Axes, stage: Stage, lines: Sequence[str], middle: float) -> None:
    shape = words_for_shape(stage.shape) + (" units" if len(stage.shape) == 1 else "")
    top = middle - (_TITLE + _LINE * len(lines)) / 2
    axes.text(_TEXT, top + _TITLE / 2, shape, fontweight="bold", va="center_baseline")
    for number, words in enumerate(lines):
        below = top + _TITLE + (number + 0.5) * _LINE
        axes.text(_TEXT, below, words, fontsize=7.5, color=style.MUTED, va="center_baseline")


def _draw_costs(axes: Axes, stage: Stage, stages: Sequence[Stage], middle: float) -> None:
    for what, left in _COSTS.items():
        counts = [each.parameters if what == "parameters" else each.flops for each in (stage, *stages)]
        count, *others = counts
        length = _BAR * (count or 0) / max(max(other or 0 for other in others), 1)
        axes.barh(middle, length, 0.11, left, color=_EDGE, linewidth=0)
        words = "?" if count is None else _short(count) if count else "–"
        color = style.INK if count else style.MUTED
        axes.text(left + length + 0.06, middle, words, fontsize=7.5, color=color, va="center_baseline")


def _size(shape: Sequence[int]) -> tuple[float, float]:
    """Return width and height of a shape's picture: by logarithms, or a map of 1 would be a dot."""
    front, depth = _front(shape), _depth(shape)
    return front[0] + depth[0], front[1] + depth[1]


def _front(shape: Sequence[int]) -> tuple[float, float]:
    if len(shape) == 3:
        return 0.08 + 0.085 * math.log2(shape[1]), 0.08 + 0.085 * math.log2(shape[0])
    return 0.1 * (1 + math.log2(math.prod(shape))), 0.1


def _depth(shape: Sequence[int]) -> tuple[float, float]:
    depth = 0.03 * math.log2(shape[-1]) if len(shape) == 3 else 0.0
    return 0.8 * depth, 0.45 * depth


def _draw_shape(axes: Axes, shape: Sequence[int], middle: float) -> None:
    """Draw feature maps as a box, as deep as they have channels; a vector as a bar."""
    (width, height), (right, up), whole = _front(shape), _depth(shape), _size(shape)
    left, bottom = _SHAPES - whole[0] / 2, middle + whole[1] / 2
    top, beside = bottom - height, left + width
    front = [(left, bottom), (beside, bottom), (beside, top), (left, top)]
    above = [(left, top), (beside, top), (beside + right, top - up), (left + right, top - up)]
    side = [(beside, bottom), (beside, top), (beside + right, top - up), (beside + right, bottom - up)]
    for corners, color in ((above, _TOP), (side, _SIDE), (front, _FRONT)):
        axes.add_patch(Polygon(corners, facecolor=color, edgecolor=_EDGE, linewidth=0.8, joinstyle="round"))


def _draw_arrows(
    axes: Axes, stages: Sequence[Stage], tops: Sequence[float], heights: Sequence[float]
) -> None:
    middles = [top + height / 2 for top, height in zip(tops, heights, strict=True)]
    halves = [_size(stage.shape)[1] / 2 for stage in stages]
    for number in range(len(stages) - 1):
        start = (_SHAPES, middles[number] + halves[number] + 0.03)
        end = (_SHAPES, middles[number + 1] - halves[number + 1] - 0.03)
        look = {"arrowstyle": "-|>", "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0, **_THIN}
        axes.annotate("", end, start, arrowprops=look, in_layout=False)


def _draw_brackets(
    axes: Axes, stages: Sequence[Stage], tops: Sequence[float], heights: Sequence[float]
) -> None:
    """Mark which rows are of a nested network."""
    for network, numbers in groupby(range(len(stages)), key=lambda number: stages[number].network):
        if network is None:
            continue
        rows = [*numbers]
        first, last = tops[rows[0]] + 0.05, tops[rows[-1]] + heights[rows[-1]] - 0.05
        axes.plot([0.28, 0.2, 0.2, 0.28], [first, first, last, last], **_THIN)
        look: dict[str, Any] = {
            "fontsize": 7.5,
            "color": style.MUTED,
            "rotation": 90,
            "va": "center",
            "ha": "center",
        }
        axes.text(0.08, (first + last) / 2, style.printable(network), **look)


def _short(count: int) -> str:
    """Return a count in about three digits and a unit, e.g. `2.73 M`, `581 M`, `799`."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            digits = max(0, 2 - int(math.log10(count / size)))
            return f"{count / size:.{digits}f} {unit}"
    return str(count)
