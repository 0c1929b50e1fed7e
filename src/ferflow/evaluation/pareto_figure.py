"""Test accuracy against FLOPs: what a model's accuracy costs, and which models nobody needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ferflow import style
from ferflow.evaluation.label_placement import Box, place_labels, text_width
from ferflow.evaluation.pareto import pareto_front
from ferflow.evaluation.wording import magnitude

Floats = npt.NDArray[np.float64]

_TITLE: Final = "Accuracy against cost"
_SIZE: Final = (9.6, 5.6)  # inches
_AREAS: Final = (36.0, 420.0)  # square points of the smallest and the largest bubble
_LEAST_SPAN: Final = 0.1  # of the accuracies: less would blow noise up to a difference
_LEAST_DECADES: Final = 0.5  # of the FLOPs
_NAME, _NOTE = 9.0, 7.5  # points
_LABEL: Final = (0.07, 0.17)  # inches between name and note, and of a label's height
_ROOM: Final = 0.04  # inches around bubbles and lines
_LED: Final = 0.05  # inches from bubble to label from which a line connects them
#: By what a model is: face and edge of its bubble, colour of its whiskers and of its name.
_LOOKS: Final = {
    "on the front": (style.SPLIT_COLORS["test"], "white", style.SPLIT_COLORS["test"], style.INK),
    "not on it": ("#fae3d3", style.SPLIT_COLORS["test"], style.SPLIT_COLORS["test"], style.INK),
    "near chance": ("#f1f4f7", "#a9b4bf", "#a9b4bf", style.MUTED),
}


@style.house_style()
def pareto_figure(ranked: pd.DataFrame) -> Figure:
    """Return test accuracy against FLOPs of one image, with the Pareto front and a name at every model.

    Args:
        ranked: The leaderboard's table as `leaderboard.rank` returns it.
    """
    models = ranked[ranked["flops"].notna()]
    if models.empty:
        return style.new_figure(_SIZE[0], 0.2, _TITLE, "The FLOPs of no model can be counted")
    front = pareto_front(models["flops"], models["test_accuracy"], models["near_chance"])
    models = models.assign(
        flops=models["flops"].astype("float64").clip(lower=1),  # so that it has a logarithm
        look=np.where(front, "on the front", np.where(models["near_chance"], "near chance", "not on it")),
        area=np.maximum(_AREAS[1] * models["parameters"] / models["parameters"].max(), _AREAS[0]),
    )
    figure = style.new_figure(*_SIZE, _TITLE, _in_words(len(ranked) - len(models)))
    axes = figure.add_subplot()
    _scales(axes, models)
    lines = _lines(axes, models)
    _bubbles(axes, models)
    legend = axes.get_legend_handles_labels()
    figure.legend(*legend, loc="upper right", ncols=len(legend[0]), handletextpad=0.4, columnspacing=1.4)
    figure.draw_without_rendering()  # from now on the axes are where they will be
    _labels(figure, axes, models, lines)
    return figure


def _in_words(unknown: int) -> str:
    words = "The front: no other model is as accurate on test and cheaper  ·  whiskers: 95 % intervals  ·  "
    left_out = f"  ·  {unknown} left out: FLOPs unknown" if unknown else ""
    return f"{words}bubbles and numbers: parameters{left_out}"


def _scales(axes: Axes, models: pd.DataFrame) -> None:
    flops = np.log10(models["flops"].to_numpy(dtype=np.float64))
    low, high = float(models["test_accuracy_low"].min()), float(models["test_accuracy_high"].max())
    decades, span = max(float(np.ptp(flops)), _LEAST_DECADES), max(high - low, _LEAST_SPAN)
    middle = float(flops.min() + flops.max()) / 2
    axes.set_xscale("log")
    axes.set_xlim(10 ** (middle - 0.62 * decades), 10 ** (middle + 0.78 * decades))
    axes.set_ylim((low + high) / 2 - 0.6 * span, (low + high) / 2 + 0.6 * span)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 2):g}%"))
    view = " in one view" if models["views"].iloc[0] > 1 else ""
    axes.set_xlabel(f"FLOPs for one image{view} (log scale)")
    axes.set_ylabel("test accuracy")


def _lines(axes: Axes, models: pd.DataFrame) -> list[Floats]:
    """Draw the front, the accuracy of a constant answer and the whiskers; return their corners."""
    left, right = axes.get_xlim()
    lines = []
    best = models[models["look"] == "on the front"].sort_values("flops")
    if len(best):
        # What is reached with up to so many FLOPs: flat to the next model, then up to it.
        flat = np.append(best["flops"], right).repeat(2)[1:-1]
        stairs = np.column_stack([flat, best["test_accuracy"].to_numpy().repeat(2)])
        axes.plot(*stairs.T, color=style.SPLIT_COLORS["test"], linewidth=1.4, alpha=0.6, zorder=1.5)
        lines.append(stairs)
    share = models["test_majority_share"].iloc[0]
    if axes.get_ylim()[0] < share < axes.get_ylim()[1]:
        line = np.array([[left, share], [right, share]])
        name = f"most frequent emotion {share:.1%}"
        axes.plot(*line.T, color=style.MUTED, linewidth=1, linestyle=(0, (4, 3)), label=name)
        lines.append(line)
    for model in models.to_dict("records"):
        ends = [[model["flops"], model[f"test_accuracy_{end}"]] for end in ("low", "high")]
        lines.append(np.array(ends))
        axes.plot(*lines[-1].T, color=_LOOKS[model["look"]][2], linewidth=1.2)
    return lines


def _bubbles(axes: Axes, models: pd.DataFrame) -> None:
    for look, (face, edge, _, _) in _LOOKS.items():
        alike = models[models["look"] == look]
        if len(alike):
            paint: dict[str, Any] = {"color": face, "edgecolor": edge, "linewidth": 1.1}
            axes.scatter(alike["flops"], alike["test_accuracy"], s=alike["area"], zorder=3, **paint)
            axes.scatter([], [], s=50, label=look, **paint)


def _labels(figure: Figure, axes: Axes, models: pd.DataFrame, lines: Sequence[Floats]) -> None:
    def inches(points: Floats) -> Floats:
        return np.asarray(axes.transData.transform(points)) / figure.dpi

    obstacles = [_room(inches(line[step : step + 2])) for line in lines for step in range(len(line) - 1)]
    # Those at the top choose first, as they are read first.
    rows = models.sort_values("test_accuracy", ascending=False, kind="stable").to_dict("records")
    centres = inches(np.array([[row["flops"], row["test_accuracy"]] for row in rows], dtype=np.float64))
    radii = [math.sqrt(row["area"] / math.pi) / 72 + _ROOM for row in rows]
    marks = [Box.around(x, y, 2 * r, 2 * r) for (x, y), r in zip(centres, radii, strict=True)]
    words = [(row["model"], magnitude(row["parameters"]), row["look"]) for row in rows]
    sizes = [
        (text_width(name, _NAME, bold=True) + _LABEL[0] + text_width(note, _NOTE), _LABEL[1])
        for name, note, _ in words
    ]
    frame = axes.get_window_extent()
    (left, bottom), (right, top) = (np.asarray(corner) / figure.dpi for corner in (frame.min, frame.max))
    within = Box(left + _ROOM, bottom + _ROOM, right - _ROOM, top - _ROOM)
    boxes = place_labels(marks, sizes, obstacles, within)
    for centre, radius, box, text in zip(centres, radii, boxes, words, strict=True):
        _label(figure, axes, (float(centre[0]), float(centre[1])), radius, box, text)


def _room(ends: Floats) -> Box:
    (left, bottom), (right, top) = ends.min(axis=0) - _ROOM / 2, ends.max(axis=0) + _ROOM / 2
    return Box(left, bottom, right, top)


def _label(
    figure: Figure,
    axes: Axes,
    centre: tuple[float, float],
    radius: float,
    box: Box,
    words: tuple[str, str, str],
) -> None:
    name, note, look = words
    color, bold = _LOOKS[look][3], look == "on the front"
    end = box.nearest(*centre)
    in_inches: dict[str, Any] = {"xycoords": figure.dpi_scale_trans, "in_layout": False}
    if math.dist(end, centre) > radius + _LED:
        line = {"arrowstyle": "-", "color": style.MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0}
        axes.annotate(
            "", centre, end, textcoords=figure.dpi_scale_trans, arrowprops=line, zorder=1.8, **in_inches
        )
    middle, weight = (box.bottom + box.top) / 2, "bold" if bold else "normal"
    written: dict[str, Any] = {"va": "center_baseline", **in_inches}
    axes.annotate(name, (box.left, middle), fontsize=_NAME, fontweight=weight, color=color, **written)
    after = box.left + text_width(name, _NAME, bold=bold) + _LABEL[0]
    axes.annotate(note, (after, middle), fontsize=_NOTE, color=style.MUTED, **written)
