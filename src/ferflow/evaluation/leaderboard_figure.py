"""The leaderboard as a picture: every model's validation and test scores, one below the other."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ferflow import style

_PANELS: Final = {"macro_f1": "macro-F1", "accuracy": "accuracy"}
_SPLITS: Final = {"val": ("validation", "o", 46, -0.17), "test": ("test", "D", 36, 0.17)}
_LEAST_SPAN: Final = 0.1  # of an axis: a narrower one would blow noise up to a difference


@style.house_style()
def leaderboard_figure(ranked: pd.DataFrame) -> Figure:
    """Return a dot plot of macro-F1 and accuracy on validation and test, the champion on top.

    Args:
        ranked: The leaderboard's table as `leaderboard.rank` returns it.
    """
    champion = ranked["model"].iloc[0]
    figure = style.new_figure(
        9.6,
        1.0 + 0.56 * len(ranked),
        "Leaderboard",
        f"{champion} is the champion: the highest macro-F1 on validation  ·  "
        "whiskers: ± one standard error of the test accuracy",
    )
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(panels, _PANELS, strict=True):
        _panel(axes, ranked, metric)
    sizes = [f"{style.magnitude(count)} parameters" for count in ranked["parameters"]]
    sizes[0] = f"champion, {sizes[0]}"
    style.name_rows(panels[0], list(ranked["model"]), sizes, bold=0)
    panels[1].legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        borderaxespad=0.3,
        handletextpad=0.2,
        columnspacing=1.4,
    )
    return figure


def _panel(axes: Axes, ranked: pd.DataFrame, metric: str) -> None:
    places = np.arange(len(ranked), dtype=np.float64)
    axes.axhspan(-0.5, 0.5, color="#eef5fa", linewidth=0, zorder=0)
    axes.hlines(
        places[1:] - 0.5, 0, 1, transform=axes.get_yaxis_transform(), color=style.FAINT, linewidth=0.8
    )
    errors = ranked["test_accuracy_se"] if metric == "accuracy" else pd.Series(0.0, index=ranked.index)
    for split, (label, marker, size, offset) in _SPLITS.items():
        values, color = ranked[f"{split}_{metric}"], style.SPLIT_COLORS[split]
        whiskers = errors if split == "test" else 0 * errors
        axes.hlines(places + offset, values - whiskers, values + whiskers, color=color, linewidth=1.6)
        axes.scatter(
            values, places + offset, s=size, marker=marker, color=color, linewidth=0, label=label, zorder=3
        )
        for place, value, whisker in zip(places, values, whiskers, strict=True):
            text = f"{value:.1%}" if metric == "accuracy" else f"{value:.3f}"
            end = (value + whisker, place + offset)
            axes.annotate(
                text, end, (8, 0), textcoords="offset points", va="center_baseline", fontsize=8, color=color
            )
    axes.set_xlim(*_limits(ranked[[f"val_{metric}", f"test_{metric}"]].to_numpy(dtype=np.float64)))
    axes.set_ylim(len(ranked) - 0.5, -0.5)
    axes.set_title(_PANELS[metric])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    form = "{:.0%}" if metric == "accuracy" else "{:.2f}"
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: form.format(value)))


def _limits(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the ends of an axis with room for the whiskers and, on the right, for the numbers."""
    middle = (values.min() + values.max()) / 2
    span = max(float(np.ptp(values)), _LEAST_SPAN)
    return float(middle - 0.6 * span), float(middle + 0.75 * span)
