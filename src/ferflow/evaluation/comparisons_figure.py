"""The comparisons of all pairs of models as a staircase: a cell is filled where the difference is real."""

from __future__ import annotations

from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ferflow import style
from ferflow.evaluation.comparisons import SIGNIFICANCE
from ferflow.evaluation.label_placement import text_width
from ferflow.evaluation.wording import points

_CELL: Final = (0.52, 0.34)  # inches, width and height: "+12.3" fits
_MARGIN: Final = 0.16  # inches at the left and right, as of the title
_LEGEND: Final = 0.78  # inches below the staircase, if there is a pair
_LEAST_WIDTH: Final = 6.9  # inches of the figure: those of the words around the staircase

# Lightness tells what is real, also in gray; the hue repeats the sign of the number.
_ABOVE: Final = LinearSegmentedColormap.from_list("above", ["#8fbfe0", "#3f8fc5", "#06365f"])
_RIGHT: Final = LinearSegmentedColormap.from_list("right", ["#f3b98e", "#d55e00", "#7a3600"])
_UNREAL: Final = "#f1f4f7"
_FULL: Final = 0.4  # difference of accuracies from which a cell is as dark as can be


@style.house_style()
def comparisons_figure(ranked: pd.DataFrame, comparisons: pd.DataFrame) -> Figure:
    """Return a staircase with a cell for each pair of models: the difference of their test accuracies.

    A model's name is at the top of its column and at the right end of its row.

    Args:
        ranked: The leaderboard's table as `leaderboard.rank` returns it.
        comparisons: `comparisons.compare` of the same models in the leaderboard's order.
    """
    names = list(ranked["model"])
    steps = _CELL[0] * (len(names) - 1)
    width = max(
        steps + max(text_width(name, 9, bold=True) for name in names) + 1.0 + 2 * _MARGIN, _LEAST_WIDTH
    )
    height, below = _CELL[1] * len(names), _LEGEND if len(names) > 1 else _MARGIN
    figure = style.new_figure(
        width, height + below, "Which differences are real?", _in_words(comparisons, len(names))
    )
    figure.set_layout_engine("none")  # a cell has a size: there is nothing to lay out
    total = figure.get_figheight()
    axes = figure.add_axes(
        (_MARGIN / width, below / total, (width - 2 * _MARGIN) / width, height / total), frameon=False
    )
    axes.set_xlim(0, (width - 2 * _MARGIN) / _CELL[0])
    axes.set_ylim(len(names), 0)
    axes.set_axis_off()
    _names(axes, ranked)
    place = {name: number for number, name in enumerate(names)}
    for pair in comparisons.to_dict("records"):
        at = (place[pair["model_a"]], place[pair["model_b"]])
        _cell(axes, at, pair["accuracy_difference"], real=pair["differs"])
    if len(names) > 1:
        _explain(figure, comparisons)
    return figure


def _in_words(comparisons: pd.DataFrame, models: int) -> str:
    if models == 1:
        return "There is one model: nothing to compare it with"
    pairs, real = len(comparisons), int(comparisons["differs"].sum())
    verdict = (
        f"{real} of {pairs} pairs differ" if pairs > 1 else f"One pair: {'real' if real else 'may be chance'}"
    )
    return f"{verdict}  ·  each cell: accuracy of the model above minus that of the right one, in points"


def _names(axes: Axes, ranked: pd.DataFrame) -> None:
    for place, model in enumerate(ranked.itertuples()):
        lost = bool(model.near_chance)
        name = axes.annotate(
            str(model.model),
            (place, place + 0.5),
            xytext=(0 if place == 0 else 5, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold" if place == 0 else "normal",
            color=style.MUTED if lost else style.INK,
        )
        axes.annotate(
            f"{model.test_accuracy:.1%}{', near chance' if lost else ''}",
            (1, 0.5),
            xycoords=name,
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=style.MUTED,
        )


def _cell(axes: Axes, at: tuple[int, int], difference: float, *, real: bool) -> None:
    column, row = at
    shade = min(abs(difference) / _FULL, 1.0)
    color = (_ABOVE if difference > 0 else _RIGHT)(shade) if real else to_rgb(_UNREAL)
    axes.add_patch(Rectangle((column, row + 0.05), 0.94, 0.9, facecolor=color, linewidth=0))
    axes.text(
        column + 0.47,
        row + 0.5,
        points(difference),
        ha="center",
        va="center_baseline",
        fontsize=8.5,
        fontweight="bold" if real else "normal",
        color=_readable_on(color) if real else style.MUTED,
    )


def _explain(figure: Figure, comparisons: pd.DataFrame) -> None:
    width, total = figure.get_size_inches()
    figure.legend(
        handles=[
            Patch(facecolor=_ABOVE(0.5), label="+  the model above is better"),
            Patch(facecolor=_RIGHT(0.5), label="−  the model at its right is better"),
            Patch(facecolor=_UNREAL, label="not shown to differ"),
        ],
        loc="lower left",
        bbox_to_anchor=(_MARGIN / width, 0.32 / total),
        ncols=3,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.4,
        columnspacing=1.6,
    )
    pairs = len(comparisons)
    figure.text(
        _MARGIN / width,
        0.14 / total,
        f"McNemar's exact test on {comparisons['samples'].iloc[0]:,} test images, p < {SIGNIFICANCE:g}"
        + (f" after Holm's correction for {pairs} pairs" if pairs > 1 else ""),
        color=style.MUTED,
        fontsize=7.5,
    )


def _readable_on(color: tuple[float, ...]) -> str:
    """Return the ink or white, by the contrast of WCAG 2.1 with a background."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if luminance < 0.22 else style.INK
