"""robustness_matrix.png: all models against all kinds of damage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferflow import style
from ferflow.evaluation.robustness import scores
from ferflow.evaluation.robustness.corruptions import CORRUPTIONS
from ferflow.evaluation.robustness.figure import in_points
from ferflow.labels import EMOTIONS

_WHITE_FROM: Final = 0.6  # of the darkest cell, from which white is easier to read on it than dark text


def matrix(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return accuracies: a row for each model, columns `clean`, each corruption and `mean`.

    A corruption's accuracy is the mean over its severities.

    Args:
        tables: robustness.csv by the model's name, in the order of rows.

    Raises:
        FerflowError: The models were not asked about the same images at the same severities.
    """
    scores.require_comparable(tables)
    rows = {
        name: {
            "clean": scores.clean_accuracy(table),
            **scores.accuracy_by_corruption(table),
            "mean": scores.corrupted_accuracy(table),
        }
        for name, table in tables.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model").reset_index()


@style.house_style()
def matrix_figure(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Return a heat map of accuracies, models by corruptions, with what is lost of the clean accuracy.

    Args:
        tables: robustness.csv by the model's name, in the order of rows: the leaderboard's.

    Raises:
        FerflowError: The models were not asked about the same images at the same severities.
    """
    table = matrix(tables)
    shares = table.drop(columns="model").to_numpy(dtype=np.float64)
    first = next(iter(tables.values()))
    samples = int(first["samples"].iloc[0])
    widest = max(np.ptp(scores.accuracy_interval(share, samples)) for share in shares[:, 0]) / 2
    figure = style.new_figure(
        11.6,
        0.9 + 0.52 * len(table),
        "Robustness",
        f"accuracy on {samples:,} test images, the same for all  ·  damaged: {_severities(first)}, "
        "below it the change in points  ·  "
        f"95% interval of a clean accuracy: up to ±{100 * widest:.0f} points",
    )
    axes = figure.add_subplot()
    _cells(axes, shares)
    style.remove_frame(axes)
    style.name_rows(axes, list(table["model"]), [_note(of_model) for of_model in tables.values()])
    titles = ["clean", *(kind.title for kind in CORRUPTIONS.values()), "mean"]
    axes.set_xticks(range(len(titles)), [title.replace(" ", "\n") for title in titles], color=style.INK)
    axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False)
    return figure


def _severities(table: pd.DataFrame) -> str:
    measured = scores.severities(table)
    return ("mean over severities " if len(measured) > 1 else "severity ") + ", ".join(map(str, measured))


def _note(table: pd.DataFrame) -> str:
    """Return how much of its clean accuracy a model keeps, where it may have more than who guesses."""
    kept = scores.retained_accuracy(table)
    low, _ = scores.accuracy_interval(scores.clean_accuracy(table), int(table["samples"].iloc[0]))
    if kept is None or low <= 1 / len(EMOTIONS):
        return "little to lose"
    return f"keeps {style.percent(kept)} of clean"


def _cells(axes: Axes, shares: npt.NDArray[np.float64]) -> None:
    darkest = max(float(shares.max()), 0.01)
    axes.imshow(shares, cmap=style.SEQUENTIAL, vmin=0, vmax=darkest, aspect="auto")
    models, columns = shares.shape
    for row, column in np.ndindex(shares.shape):
        share = float(shares[row, column])
        color = "white" if share >= _WHITE_FROM * darkest else style.INK
        centre = row if column == 0 else row - 0.1
        axes.text(column, centre, style.percent(share), ha="center", va="center", color=color, fontsize=10)
        if column:
            text = in_points(share - float(shares[row, 0]))
            axes.text(
                column, row + 0.27, text, ha="center", va="center", color=color, fontsize=7.5, alpha=0.9
            )
    for edges, draw, end in (
        (np.arange(1, columns) - 0.5, axes.vlines, models),
        (np.arange(1, models) - 0.5, axes.hlines, columns),
    ):
        draw(edges, -0.5, end - 0.5, color="white", linewidth=1.5)
    for edge in (0.5, columns - 1.5):
        axes.axvline(edge, -0.02, 1.02, color="white", linewidth=7, clip_on=False)
