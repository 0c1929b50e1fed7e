"""The leaderboard as a picture: every model's validation and test scores, one below the other."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ferflow import style
from ferflow.evaluation.wording import magnitude

_PANELS: Final = {"macro_f1": "macro-F1", "accuracy": "accuracy"}
_SPLITS: Final = {"val": ("validation", "o", 46, -0.17), "test": ("test", "D", 36, 0.17)}
_LEAST_SPAN: Final = 0.1  # of an axis: a narrower one would blow noise up to a difference
_NUMBER: Final = 0.16  # of an axis: the width of a number beside a mark
_NEAR_CHANCE: Final = 0.45  # opacity of a model that is not shown to have learnt anything


@style.house_style()
def leaderboard_figure(ranked: pd.DataFrame) -> Figure:
    """Return a dot plot of macro-F1 and accuracy on validation and test, the champion on top.

    Args:
        ranked: The leaderboard's table as `leaderboard.rank` returns it.
    """
    figure = style.new_figure(
        9.6,
        1.0 + 0.56 * len(ranked),
        "Leaderboard",
        f"{_verdict(ranked)}  ·  whiskers: 95 % intervals on test",
    )
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(panels, _PANELS, strict=True):
        _panel(axes, ranked, metric)
    style.name_rows(panels[0], list(ranked["model"]), _notes(ranked), bold=0)
    figure.legend(
        *panels[1].get_legend_handles_labels(),
        loc="upper right",
        ncols=3,
        handletextpad=0.4,
        columnspacing=1.4,
    )
    return figure


def _verdict(ranked: pd.DataFrame) -> str:
    champion = ranked.iloc[0]
    if champion.near_chance:
        return f"{champion.model} is the champion, but near chance: not shown to have learnt anything"
    return f"{champion.model} is the champion: the highest macro-F1 on validation"


def _notes(ranked: pd.DataFrame) -> list[str]:
    notes = [f"{magnitude(count)} parameters" for count in ranked["parameters"]]
    notes = [
        f"near chance, {note}" if lost else note
        for note, lost in zip(notes, ranked["near_chance"], strict=True)
    ]
    return [f"champion, {notes[0]}", *notes[1:]]


def _panel(axes: Axes, ranked: pd.DataFrame, metric: str) -> None:
    places = np.arange(len(ranked), dtype=np.float64)
    axes.axhspan(-0.5, 0.5, color="#eef5fa", linewidth=0, zorder=0)
    axes.hlines(
        places[1:] - 0.5, 0, 1, transform=axes.get_yaxis_transform(), color=style.FAINT, linewidth=0.8
    )
    low, high = _limits(ranked, metric)
    axes.set_xlim(low, high)
    axes.set_ylim(len(ranked) - 0.5, -0.5)
    for split in _SPLITS:
        _marks(axes, ranked, split, metric)
    majority = ranked["test_majority_share"].iloc[0]
    if metric == "accuracy":
        name = f"most frequent emotion {majority:.1%}"
        # Off the axis where all models are far better, and named all the same.
        at = majority if low < majority < high else np.nan
        axes.axvline(at, color=style.MUTED, linewidth=1, linestyle=(0, (4, 3)), label=name)
    axes.set_title(_PANELS[metric])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    form = "{:.0%}" if metric == "accuracy" else "{:.2f}"
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: form.format(value)))


def _marks(axes: Axes, ranked: pd.DataFrame, split: str, metric: str) -> None:
    label, marker, size, offset = _SPLITS[split]
    color = style.SPLIT_COLORS[split]
    values = ranked[f"{split}_{metric}"]
    lows, highs = (ranked.get(f"{split}_{metric}_{end}", values) for end in ("low", "high"))
    at = np.arange(len(ranked)) + offset
    axes.scatter([], [], s=size, marker=marker, color=color, linewidth=0, label=label)
    for near_chance, opacity in ((False, 1.0), (True, _NEAR_CHANCE)):
        rows = ranked["near_chance"].to_numpy(dtype=bool) == near_chance
        paint: dict[str, Any] = {"color": color, "alpha": opacity}
        axes.hlines(at[rows], lows[rows], highs[rows], linewidth=1.6, **paint)
        axes.scatter(values[rows], at[rows], s=size, marker=marker, linewidth=0, zorder=3, **paint)
    for place, value, end in zip(at, values, highs, strict=True):
        text = f"{value:.1%}" if metric == "accuracy" else f"{value:.3f}"
        axes.annotate(
            text,
            (end, place),
            (8, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=8,
            color=color,
        )


def _limits(ranked: pd.DataFrame, metric: str) -> tuple[float, float]:
    """Return the ends of an axis with room for the whiskers and, on the right, for the numbers."""
    columns = [f"val_{metric}", *(f"test_{metric}{end}" for end in ("", "_low", "_high"))]
    values = ranked[columns].to_numpy(dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    span = max(high - low, _LEAST_SPAN)
    middle = (low + high) / 2
    return middle - 0.55 * span, middle + (0.5 + 1.05 * _NUMBER / (1 - _NUMBER)) * span
