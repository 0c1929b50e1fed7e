"""The figures of how good a model's probabilities are: reliability, and precision against recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, MultipleLocator, NullLocator

from ferflow import style
from ferflow.evaluation.intervals import wilson
from ferflow.labels import EMOTIONS

_COLOR: Final = style.SPLIT_COLORS["test"]
_DASHED: Final[dict[str, Any]] = {"color": style.MUTED, "linewidth": 1, "linestyle": (0, (4, 3))}
_PALE: Final = "#eaaf80"  # the same, lighter
_BEHIND: Final = "#d3dae1"
_COLUMNS: Final = 4  # of the small multiples; the place at the top right is the ranking's
_PLACES: Final = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3))
_NAMES: Final = 0.6  # room for the ranking's names, in units of its axis
_PERCENT: Final = FuncFormatter(lambda share, _: f"{round(100 * share, 1):g}%")


@style.house_style()
def reliability(table: pd.DataFrame, model: str, scores: Mapping[str, float]) -> Figure:
    """Return accuracy against confidence on test, and below it how the confidences are spread.

    Args:
        table: `bin_low`, `bin_high`, `samples`, `confidence`, `accuracy`; one row per bin.
        model: The model's name.
        scores: The test scores; `accuracy` and `calibration_error` are shown.
    """
    samples = table["samples"].to_numpy()
    confidence = float((table["confidence"].fillna(0) * samples).sum() / samples.sum())
    figure = style.new_figure(
        6.4,
        6.6,
        f"{model}: calibration",
        f"calibration error {scores['calibration_error']:.1%}  ·  accuracy {scores['accuracy']:.1%} "
        f"at a mean confidence of {confidence:.1%}  ·  {samples.sum():,} test images",
    )
    grid = figure.add_gridspec(2, 1, height_ratios=[4.2, 1])
    above = figure.add_subplot(grid[0])
    _bins(above, table[table["samples"] > 0])
    _spread(figure.add_subplot(grid[1], sharex=above), table)
    return figure


@style.house_style()
def precision_recall(table: pd.DataFrame, per_class: pd.DataFrame, model: str) -> Figure:
    """Return one panel per emotion with its one-vs-rest curve on test, the others faint behind it.

    Args:
        table: `label`, `threshold`, `precision`, `recall`; the points of each curve in order.
        per_class: One row per emotion of the test split: `label`, `support`, `average_precision`.
        model: The model's name.
    """
    rows = per_class.set_index("label")
    figure = style.new_figure(
        9.6,
        4.9,
        f"{model}: precision and recall on the test split",
        "each emotion against the rest, over all thresholds of its probability  ·  "
        f"AP: average precision, mean {rows['average_precision'].mean():.2f}  ·  dashed: guessing",
    )
    grid = figure.add_gridspec(2, _COLUMNS)
    curves = {emotion: table[table["label"] == emotion] for emotion in EMOTIONS}
    shared: Axes | None = None
    for emotion, (row, column) in zip(EMOTIONS, _PLACES, strict=True):
        shared = axes = figure.add_subplot(grid[row, column], sharex=shared, sharey=shared)
        _panel(axes, curves, emotion, rows)
        axes.tick_params(labelleft=column == 0, labelbottom=row == 1)
        axes.set_xlabel("recall" if row == 1 else "")
        axes.set_ylabel("precision" if column == 0 else "")
    _ranking(figure.add_subplot(grid[0, _COLUMNS - 1]), rows)
    return figure


def _bins(axes: Axes, table: pd.DataFrame) -> None:
    confidence, accuracy = table["confidence"].to_numpy(), table["accuracy"].to_numpy()
    low, high = wilson(accuracy, table["samples"].to_numpy())
    axes.plot([0, 1], [0, 1], **_DASHED)
    axes.vlines(confidence, low, high, color=_PALE, linewidth=1.6)
    axes.scatter(confidence, accuracy, s=34, color=_COLOR, linewidth=0, zorder=3, clip_on=False)
    _note(axes, "accuracy, with its 95% interval  ·  above the dashed line: right more often than it says")
    axes.set_ylim(0, 1)
    axes.tick_params(labelbottom=False)
    _in_percent(axes, "y")


def _spread(axes: Axes, table: pd.DataFrame) -> None:
    edges = [*table["bin_low"], table["bin_high"].iloc[-1]]
    shares = table["samples"] / table["samples"].sum()
    axes.bar(edges[:-1], shares, width=np.diff(edges) * 0.92, align="edge", color=_PALE)
    _note(axes, "share of the images")
    axes.set_xlabel("confidence: the probability of the predicted emotion")
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(_PERCENT)
    _in_percent(axes, "x")


def _panel(axes: Axes, curves: Mapping[str, pd.DataFrame], emotion: str, rows: pd.DataFrame) -> None:
    for other in EMOTIONS:
        if other != emotion:
            axes.plot(*_line(curves[other]), color=_BEHIND, linewidth=0.8)
    axes.set_title(emotion)
    if rows["support"][emotion]:
        axes.axhline(float(rows["support"][emotion] / rows["support"].sum()), **_DASHED)
        axes.plot(*_line(curves[emotion]), color=_COLOR)
        value = f"AP {float(rows['average_precision'][emotion]):.2f}"
        axes.set_title(value, loc="right", fontweight="normal", color=style.MUTED)
    else:
        axes.text(0.5, 0.5, "no images", ha="center", va="center", color=style.MUTED)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    _in_percent(axes, "both", step=0.5)


def _line(curve: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Return recall and precision of a curve, begun at no recall."""
    recall, precision = curve["recall"].tolist(), curve["precision"].tolist()
    return [0.0] * bool(recall) + recall, precision[:1] + precision


def _ranking(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw from what guessing reaches to the average precision, the highest on top."""
    known = rows[rows["support"] > 0]
    ranked = known[::-1].sort_values("average_precision", kind="stable")
    places = np.arange(len(ranked))
    shares = ranked["support"] / rows["support"].sum()
    axes.hlines(places, shares, ranked["average_precision"], color=_PALE, linewidth=1.6)
    axes.vlines(shares, places - 0.28, places + 0.28, color=style.MUTED, linewidth=1.2)
    axes.scatter(
        ranked["average_precision"], places, s=26, color=_COLOR, linewidth=0, zorder=3, clip_on=False
    )
    for place, emotion in enumerate(ranked.index):
        axes.text(-0.06, place, emotion, ha="right", va="center", fontsize=8)
    _note(axes, "AP against guessing")
    style.remove_frame(axes)
    axes.grid(visible=True, axis="x")
    # The names are inside, so that this panel is as wide as the others.
    axes.set_xlim(-_NAMES, 1)
    axes.set_ylim(-0.7, max(len(ranked), 2) - 0.3)
    axes.yaxis.set_major_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _note(axes: Axes, text: str) -> None:
    axes.set_title(text, fontweight="normal", fontsize=9, color=style.MUTED)


def _in_percent(axes: Axes, which: str, step: float = 0.2) -> None:
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if which in (name, "both"):
            axis.set_major_locator(MultipleLocator(step))
            axis.set_major_formatter(_PERCENT)
