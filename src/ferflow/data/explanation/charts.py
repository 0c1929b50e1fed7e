"""The figures of a data set without a face on them. Functions take values and return a figure."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ferflow import style
from ferflow.data.explanation.counts import NONE, Counts, total
from ferflow.data.labelled import SPLITS
from ferflow.labels import EMOTIONS

SPLIT_NAMES: Final = {"train": "train", "val": "validation", "test": "test"}

_Values = npt.NDArray[np.float64]
_MOST_BINS: Final = 40  # of original sizes
_LEAST_SPAN: Final = 10  # pixels; a narrower axis would make a wall of a single size


@style.house_style()
def counts_chart(used: Counts, dataset: str) -> Figure:
    """Return bars of each emotion, a panel for each split, and one for what is left out, if anything is.

    Args:
        used: The counts of each emotion as they are used.
        dataset: The data set's name.
    """
    totals = total(used)
    columns = [*SPLITS, NONE] if totals[NONE] else list(SPLITS)
    in_splits = sum(totals[split] for split in SPLITS)
    subtitle = f"{in_splits:,} images in three splits"
    if totals[NONE]:
        subtitle += f", {totals[NONE]:,} left out"
    subtitle += "  ·  shares are of the panel, and each panel has its own scale"
    figure = style.new_figure(9.6, 3.3, f"{style.printable(dataset)}: images of each emotion", subtitle)
    panels = figure.subplots(1, len(columns), sharey=True)
    for axes, column in zip(panels, columns, strict=True):
        counts = [used[emotion][column] for emotion in EMOTIONS]
        _bars(axes, counts, column)
        axes.set_title(SPLIT_NAMES.get(column, "left out"))
        axes.set_title(f"{totals[column]:,}", loc="right", fontweight="normal", fontsize=9, color=style.MUTED)
    panels[0].set_yticks(range(len(EMOTIONS)), EMOTIONS)
    panels[0].tick_params(axis="y", labelcolor=style.INK)
    panels[0].set_ylim(len(EMOTIONS) - 0.5, -0.5)
    return figure


@style.house_style()
def histograms(samples: pd.DataFrame, split: pd.Series, *, dataset: str, min_pixel_std: float) -> Figure:
    """Return how brightness and contrast are spread in each split, and the original sizes of all images.

    Args:
        samples: The samples table; `mean`, `std`, `width` and `height` are looked at.
        split: The split of each sample, in the same order; null for samples in none.
        dataset: The data set's name.
        min_pixel_std: An image whose gray levels vary by less is blank.
    """
    figure = style.new_figure(
        9.6,
        3.2,
        f"{style.printable(dataset)}: brightness, contrast and size",
        "each split by itself: the shares of one line sum to 100%  ·  where the lines differ, the splits do",
    )
    brightness, contrast, size = figure.subplots(1, 3)
    _by_split(brightness, samples["mean"], split, np.linspace(0, 256, 33))
    brightness.set_title("brightness")
    brightness.set_xlabel("mean gray level of an image")
    brightness.legend(loc="upper left", handlelength=1.4, borderaxespad=0.2)
    _by_split(contrast, samples["std"], split, np.linspace(0, 128, 33))
    contrast.set_title("contrast")
    contrast.set_xlabel("standard deviation of an image")
    contrast.axvline(min_pixel_std, color=style.MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    contrast.set_title("dashed: blank", loc="right", fontweight="normal", fontsize=8, color=style.MUTED)
    _original_sizes(size, samples["width"], samples["height"])
    return figure


def _bars(axes: Axes, counts: list[int], column: str) -> None:
    # What is left out belongs to no split and has no split's colour.
    look: dict[str, Any] = (
        {"facecolor": "white", "edgecolor": style.MUTED, "linewidth": 0.9}
        if column == NONE
        else {"facecolor": style.SPLIT_COLORS[column], "linewidth": 0}
    )
    axes.barh(range(len(counts)), counts, height=0.68, **look)
    largest, everything = max(*counts, 1), max(sum(counts), 1)
    for place, count in enumerate(counts):
        text = f"{count:,}  {style.percent(count / everything)}" if count else "0"
        color = style.INK if count else style.MUTED
        axes.annotate(
            text, (count, place), (4, 0), textcoords="offset points", va="center", fontsize=8, color=color
        )
    axes.set_xlim(0, 1.55 * largest)  # room for the numbers beside the longest bar
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(labelbottom=False)


def _by_split(axes: Axes, values: pd.Series, split: pd.Series, edges: _Values) -> None:
    for name in SPLITS:
        part = values[split == name].to_numpy(dtype=np.float64)
        shares = np.histogram(part, edges)[0] / max(len(part), 1)
        train = name == "train"
        axes.stairs(
            shares,
            edges,
            fill=train,
            color=style.SPLIT_COLORS[name],
            alpha=0.45 if train else 1.0,
            linewidth=0 if train else 1.4,
            label=SPLIT_NAMES[name],
        )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    _percentages(axes)


def _original_sizes(axes: Axes, width: pd.Series, height: pd.Series) -> None:
    shorter = np.minimum(width.to_numpy(dtype=np.int64), height.to_numpy(dtype=np.int64))
    low, high = int(shorter.min()), int(shorter.max())
    spare = max(_LEAST_SPAN - (high - low), 0) // 2
    step = -(-(high - low + 1) // _MOST_BINS)
    edges = np.arange(low - spare, high + spare + step + 1, step) - 0.5
    axes.stairs(np.histogram(shorter, edges)[0] / len(shorter), edges, fill=True, color=style.MUTED)
    axes.set_ylim(0)
    axes.set_title("original size")
    note = f"{low} to {high}"
    if width.min() == width.max() and height.min() == height.max():
        note = f"all {width.iloc[0]} × {height.iloc[0]}"
    axes.set_title(note, loc="right", fontweight="normal", fontsize=8, color=style.MUTED)
    axes.set_xlabel("shorter side in pixels")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    _percentages(axes)


def _percentages(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 2):g}%"))
    axes.grid(visible=False, axis="x")
