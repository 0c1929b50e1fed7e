"""robustness.png: one model's accuracy as its images get worse, in a panel for each kind of damage."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ferflow import style
from ferflow.evaluation.robustness import scores
from ferflow.evaluation.robustness.card import drawn_card
from ferflow.evaluation.robustness.corruptions import CLEAN, CORRUPTIONS, corrupt
from ferflow.labels import EMOTIONS

_COLUMNS: Final = 5
_PICTURE: Final = 0.88  # side of a picture of damage, in severities
_COLOR: Final = style.SPLIT_COLORS["test"]


@style.house_style()
def robustness_figure(table: pd.DataFrame, model: str) -> Figure:
    """Return small multiples of accuracy against severity, each with what the damage does to a test card.

    Args:
        table: The model's robustness.csv, as `score_answers` returns it.
        model: The model's name.
    """
    samples = int(table["samples"].iloc[0])
    clean, damaged = scores.clean_accuracy(table), scores.corrupted_accuracy(table)
    figure = style.new_figure(
        11.2,
        5.6,
        f"{model}: robustness",
        f"accuracy {clean:.1%} on clean images (dashed), {damaged:.1%} on damaged ones  ·  "
        f"the same {samples:,} test images everywhere  ·  whiskers: 95% interval  ·  dotted: guessing",
    )
    bands = math.ceil(len(CORRUPTIONS) / _COLUMNS)
    # In one grid all panels are equally wide; an empty row keeps two bands apart.
    heights = ([4.4, 1, 0.25] * bands)[:-1]
    grid = figure.add_gridspec(len(heights), _COLUMNS, height_ratios=heights, hspace=0)
    top = _top(table)
    for place, corruption in enumerate(CORRUPTIONS):
        band, column = divmod(place, _COLUMNS)
        axes = figure.add_subplot(grid[3 * band, column])
        _panel(axes, table, corruption, top)
        axes.tick_params(labelleft=column == 0)
        _pictures(figure.add_subplot(grid[3 * band + 1, column]), corruption, scores.severities(table))
    return figure


def in_points(change: float) -> str:
    """Return a change of a share in whole percentage points, with its sign, e.g. `−12`."""
    return f"{100 * change:+.0f}".replace("-", "−") if round(100 * change) else "±0"


def _panel(axes: Axes, table: pd.DataFrame, corruption: str, top: float) -> None:
    clean = scores.clean_accuracy(table)
    points = table[table["corruption"].isin([CLEAN, corruption])].sort_values("severity")
    severity, accuracy = points["severity"].to_numpy(), points["accuracy"].to_numpy()
    low, high = _intervals(points)
    axes.axhline(clean, color=style.MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.axhline(1 / len(EMOTIONS), color=style.MUTED, linewidth=1, linestyle=(0, (1, 2)))
    axes.vlines(severity[1:], low[1:], high[1:], color=_COLOR, linewidth=1.3, alpha=0.55)
    axes.vlines(severity[:1], low[:1], high[:1], color=style.MUTED, linewidth=1.3, alpha=0.55)
    axes.plot(severity, accuracy, color=_COLOR, linewidth=1.5)
    markers: dict[str, Any] = {"linewidth": 0, "zorder": 3, "s": 20}
    axes.scatter(severity[1:], accuracy[1:], color=_COLOR, **markers)
    axes.scatter(severity[:1], accuracy[:1], color=style.MUTED, **markers)
    axes.set_title(CORRUPTIONS[corruption].title)
    mean = float(scores.accuracy_by_corruption(table)[corruption])
    cost = f"{style.percent(mean)} ({in_points(mean - clean)})"
    axes.set_title(cost, loc="right", fontweight="normal", color=style.MUTED)
    axes.set_ylim(0, top)
    axes.set_xlim(-0.55, severity.max() + 0.55)
    axes.grid(visible=False, axis="x")
    axes.tick_params(labelbottom=False)
    axes.xaxis.set_major_locator(NullLocator())
    axes.set_yticks(np.arange(0, top, 0.2))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))


def _pictures(axes: Axes, corruption: str, severities: list[int]) -> None:
    card = drawn_card()
    for severity in (0, *severities):
        picture = corrupt(card, corruption, severity) if severity else card
        left = severity - _PICTURE / 2
        extent = (left, left + _PICTURE, 0, _PICTURE)
        axes.imshow(picture[0, :, :, 0], cmap="gray", vmin=0, vmax=255, extent=extent)
    axes.set_xlim(-0.55, max(severities) + 0.55)
    axes.set_ylim(0, _PICTURE)
    axes.set_anchor("N")
    axes.tick_params(labelsize=8)
    style.remove_frame(axes)
    axes.yaxis.set_major_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator([0, *severities]))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda severity, _: f"{severity:.0f}" if severity else "clean")
    )


def _intervals(points: pd.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    pairs = zip(points["accuracy"], points["samples"], strict=True)
    low, high = np.array([scores.accuracy_interval(*pair) for pair in pairs]).T
    return low, high


def _top(table: pd.DataFrame) -> float:
    """Return the end of all panels' axes: what holds every whisker, in tenths."""
    return min(math.ceil(10 * float(_intervals(table)[1].max()) + 0.2) / 10, 1.02)
