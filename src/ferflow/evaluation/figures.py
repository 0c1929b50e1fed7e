"""The figures of one model's report. Functions take values and return a figure; `style` saves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ferflow import style
from ferflow.labels import EMOTIONS

_WHITE_FROM: Final = 0.6  # share from which white is easier to read on a cell than dark text
_MARKERS_UNTIL: Final = 12  # epochs; a line through one or two points alone shows nothing


@style.house_style()
def confusion(counts: npt.NDArray[np.int64], model: str, scores: Mapping[str, float]) -> Figure:
    """Return a heat map of the test split: large the share of the actual emotion, small the count.

    Args:
        counts: Shape `(7, 7)`; rows are the actual, columns the predicted emotions.
        model: The model's name.
        scores: The test scores; `accuracy` and `macro_f1` are shown.
    """
    actual, predicted = counts.sum(axis=1), counts.sum(axis=0)
    shares = counts / np.maximum(actual, 1)[:, None]
    figure = style.new_figure(
        7.2,
        6.3,
        f"{model}: confusion on the test split",
        f"accuracy {scores['accuracy']:.1%}  ·  macro-F1 {scores['macro_f1']:.3f}  ·  "
        f"{counts.sum():,} images  ·  shares of each row, with counts below",
    )
    axes = figure.add_subplot()
    axes.imshow(shares, cmap=style.SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        _cell(axes, row, column, float(shares[row, column]), int(counts[row, column]))
    style.remove_frame(axes)
    edges = np.arange(1, len(EMOTIONS)) - 0.5
    axes.vlines(edges, -0.5, len(EMOTIONS) - 0.5, color="white", linewidth=2)
    axes.hlines(edges, -0.5, len(EMOTIONS) - 0.5, color="white", linewidth=2)
    right = np.diag(counts) / np.maximum(predicted, 1)
    style.name_rows(axes, EMOTIONS, [f"{total:,} images" for total in actual])
    style.name_columns(
        axes,
        EMOTIONS,
        [
            f"{style.percent(share)} right" if total else "never"
            for share, total in zip(right, predicted, strict=True)
        ],
    )
    axes.set_xlabel("predicted, and how often that is right (precision)", labelpad=40)
    axes.set_ylabel("actual", labelpad=66)
    return figure


@style.house_style()
def training_curves(history: pd.DataFrame, model: str) -> Figure:
    """Return loss and accuracy by epoch, train against validation, with phases and learning rate.

    Args:
        history: One row per epoch: `epoch`, `phase`, `learning_rate`, `loss`, `accuracy`,
            `val_loss`, `val_accuracy`.
        model: The model's name.
    """
    starts = history[history["phase"] != history["phase"].shift()]
    figure = style.new_figure(9.6, 4.2, f"{model}: training", _phases_in_words(history, starts))
    grid = figure.add_gridspec(2, 2, height_ratios=[4.6, 1])
    for column, metric in enumerate(("loss", "accuracy")):
        axes = figure.add_subplot(grid[0, column])
        _curves(axes, history, metric)
        below = figure.add_subplot(grid[1, column], sharex=axes)
        _learning_rate(below, history)
        for panel in (axes, below):
            for epoch in starts["epoch"].iloc[1:]:
                panel.axvline(epoch - 0.5, color=style.MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    return figure


def _cell(axes: Axes, row: int, column: int, share: float, count: int) -> None:
    if count == 0:
        axes.text(column, row, "0", ha="center", va="center", color="#a9b4bf", fontsize=8)
        return
    color = "white" if share >= _WHITE_FROM else style.INK
    weight = "bold" if row == column else "normal"
    large, small = style.percent(share), f"{count:,}"
    axes.text(column, row - 0.1, large, ha="center", va="center", color=color, fontsize=12, fontweight=weight)
    axes.text(column, row + 0.25, small, ha="center", va="center", color=color, fontsize=7.5, alpha=0.8)


def _phases_in_words(history: pd.DataFrame, starts: pd.DataFrame) -> str:
    total = len(history)
    words = f"{total} epoch{'s' if total > 1 else ''}"
    if len(starts) > 1:
        ends = [*(starts["epoch"].iloc[1:] - 1), history["epoch"].iloc[-1]]
        spans = zip(starts["phase"], starts["epoch"], ends, strict=True)
        words += ": " + ", ".join(f"{phase} {first}–{last}" for phase, first, last in spans)
        words += " (dashed: the next phase begins)"
    return words + "  ·  ring: best epoch on validation"


def _curves(axes: Axes, history: pd.DataFrame, metric: str) -> None:
    epochs = history["epoch"]
    marker = "o" if len(history) <= _MARKERS_UNTIL else ""
    for split, column in (("train", metric), ("val", f"val_{metric}")):
        label = "train" if split == "train" else "validation"
        color = style.SPLIT_COLORS[split]
        axes.plot(epochs, history[column], color=color, marker=marker, markersize=4, label=label)
    axes.set_title(metric)
    monitored = history[f"val_{metric}"].to_numpy(dtype=np.float64)
    if np.isfinite(monitored).any():
        at = int(np.nanargmin(monitored) if metric == "loss" else np.nanargmax(monitored))
        ring: dict[str, Any] = {"markersize": 10, "markerfacecolor": "none", "markeredgewidth": 1.4}
        axes.plot(epochs.iloc[at], monitored[at], "o", markeredgecolor=style.SPLIT_COLORS["val"], **ring)
        value = f"{monitored[at]:.3f}" if metric == "loss" else f"{monitored[at]:.1%}"
        best = f"best on validation: {value} in epoch {epochs.iloc[at]}"
        axes.set_title(best, loc="right", fontweight="normal", fontsize=9, color=style.MUTED)
    axes.margins(y=0.1)
    axes.legend(loc="best", ncols=2)
    axes.tick_params(labelbottom=False)
    if metric == "accuracy":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 2):g}%"))


def _learning_rate(axes: Axes, history: pd.DataFrame) -> None:
    epochs = history["epoch"].to_numpy(dtype=np.float64)
    rates = history["learning_rate"].to_numpy(dtype=np.float64)
    edges = np.append(epochs - 0.5, epochs[-1] + 0.5)
    axes.stairs(rates, edges, baseline=None, color=style.INK, linewidth=1.3)
    lowest, highest = float(rates.min()), float(rates.max())
    if lowest > 0:
        axes.set_yscale("log")
        pad = max((highest / lowest) ** 0.25, 1.5)
        axes.set_ylim(lowest / pad, highest * pad)
    axes.yaxis.set_major_locator(FixedLocator(sorted({lowest, highest})))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_title("learning rate", fontweight="normal", fontsize=8, color=style.MUTED, pad=4)
    axes.set_xlabel("epoch")
