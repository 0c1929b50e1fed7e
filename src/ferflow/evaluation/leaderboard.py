"""All models side by side: chosen on validation, reported on test."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pandas as pd
from tabulate import tabulate

from ferflow.errors import FerflowError
from ferflow.evaluation.model_info import read_model_info
from ferflow.evaluation.outcomes import EVALUATED_SPLITS
from ferflow.files import read_json, write_csv, write_text

_METRICS: Final = ("macro_f1", "accuracy", "log_loss")
#: Headings that keep the table within a terminal of about 100 columns.
_SHORT: Final = {
    "val macro-F1": "val F1",
    "val accuracy": "val acc.",
    "val log loss": "val loss",
    "test macro-F1": "test F1",
    "test accuracy": "test acc.",
}


def read(folder: Path, models: Iterable[str]) -> pd.DataFrame:
    """Return one row per model from the reports that the evaluate stage wrote, not yet ranked.

    Args:
        folder: Holds `<model>/metrics.json` and `<model>/model.json`.
        models: The names in params.yaml. Other folders are not looked at: a model that was
            removed from the params leaves the leaderboard with the next run.

    Raises:
        FerflowError: A model's file is missing or not complete, or was written for another model,
            or the models were not measured on equally many samples and views of them.
    """
    rows = [_read_model(folder / name, name) for name in models]
    table = pd.DataFrame(rows)
    alike = {f"{split}_samples": f"{split} samples" for split in EVALUATED_SPLITS}
    for column, what in (alike | {"views": "views of an image"}).items():
        counts = dict(zip(table["model"], table[column], strict=True))
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            raise FerflowError(
                f"{folder}: the models were measured on different {what} ({found}): run `dvc repro`."
            )
    return table


def rank(table: pd.DataFrame) -> pd.DataFrame:
    """Return the models from first to last with a column `rank` (1 is the champion).

    The highest validation macro-F1 is first; of equals the one with fewer parameters, then the one
    whose name sorts first. The test split has no influence. `test_accuracy_se` is the standard
    error of the test accuracy, sqrt(p (1 - p) / n), as a fraction.

    Args:
        table: One row per model, as `read` returns it.
    """
    ordered = table.sort_values(["val_macro_f1", "parameters", "model"], ascending=[False, True, True])
    ordered = ordered.reset_index(drop=True)
    ordered.insert(0, "rank", range(1, len(ordered) + 1))
    accuracy = ordered["test_accuracy"]
    error = (accuracy * (1 - accuracy) / ordered["test_samples"]) ** 0.5
    ordered.insert(list(ordered.columns).index("test_accuracy") + 1, "test_accuracy_se", error.round(6))
    return ordered


def as_markdown(ranked: pd.DataFrame) -> str:
    """Return the leaderboard as a Markdown page: the champion, how it is chosen, the table."""
    champion = ranked.iloc[0]
    shown = _display(ranked)
    shown["model"] = [f"**{champion.model} (champion)**", *shown["model"].iloc[1:]]
    shown["architecture"] = ranked["architecture"]
    shown["input"] = [f"{size} px" for size in ranked["input_size"]]
    shown["precision"] = ranked["precision"]
    return (
        "# Leaderboard\n\n"
        f"The champion is **{champion.model}**: the highest macro-F1 on the validation split "
        f"({champion.val_macro_f1:.3f}, {champion.val_samples:,} samples) of {_count(ranked)}. "
        "Of equals, the one with fewer parameters wins, then the one whose name sorts first. "
        f"The test split ({champion.test_samples:,} samples) is reported and chooses nothing; its accuracy "
        f"stands with its standard error √(p(1 − p)/n), in percentage points.{_seen(champion.views)}\n\n"
        f"{_tabulate(shown, 'pipe')}\n"
    )


def as_text(ranked: pd.DataFrame) -> str:
    """Return the leaderboard as a compact table for a terminal; `*` marks the champion."""
    shown = _display(ranked)
    shown["model"] = [f"{name} *" if place == 0 else name for place, name in enumerate(shown["model"])]
    shown.columns = [_SHORT.get(column, column) for column in shown.columns]
    return f"{_tabulate(shown, 'simple')}\n* champion: the highest macro-averaged F1 on validation"


def write(folder: Path, ranked: pd.DataFrame) -> None:
    """Write `leaderboard.csv` and `leaderboard.md` into `folder`."""
    write_csv(folder / "leaderboard.csv", ranked)
    write_text(folder / "leaderboard.md", as_markdown(ranked))


def _read_model(folder: Path, name: str) -> dict[str, Any]:
    info = read_model_info(folder / "model.json")
    if info.model != name:
        raise FerflowError(f"{folder / 'model.json'} is of the model {info.model}: run `dvc repro`.")
    path = folder / "metrics.json"
    metrics = read_json(path)
    measured = {
        f"{split}_{metric}": _number(metrics, split, metric, path)
        for split in EVALUATED_SPLITS
        for metric in (*_METRICS, "samples")
    }
    return {
        "model": name,
        "architecture": info.architecture,
        **measured,
        **info.model_dump(exclude={"model", "evaluate"}),
    }


def _number(metrics: Any, split: str, metric: str, path: Path) -> float:
    try:
        value = metrics[split][metric]
    except (KeyError, TypeError, IndexError):
        value = None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise FerflowError(f"{path}: {split}.{metric} is missing or not a number: run `dvc repro`.")
    return value


def _display(ranked: pd.DataFrame) -> pd.DataFrame:
    accuracy, error = 100 * ranked["test_accuracy"], 100 * ranked["test_accuracy_se"]
    return pd.DataFrame(
        {
            "rank": ranked["rank"],
            "model": ranked["model"],
            "val macro-F1": [f"{value:.3f}" for value in ranked["val_macro_f1"]],
            "val accuracy": [f"{100 * value:.1f}%" for value in ranked["val_accuracy"]],
            "val log loss": [f"{value:.3f}" for value in ranked["val_log_loss"]],
            "test macro-F1": [f"{value:.3f}" for value in ranked["test_macro_f1"]],
            "test accuracy": [f"{p:.1f} ± {e:.1f}%" for p, e in zip(accuracy, error, strict=True)],
            "parameters": [f"{count:,}" for count in ranked["parameters"]],
            "epochs": ranked["epochs"],
        }
    )


def _tabulate(shown: pd.DataFrame, style: str) -> str:
    words = {"model", "architecture", "precision"}
    return tabulate(
        shown.astype(str).to_numpy().tolist(),
        headers=list(shown.columns),
        tablefmt=style,
        colalign=["left" if column in words else "right" for column in shown.columns],
        disable_numparse=True,
    )


def _seen(views: int) -> str:
    return f" All probabilities are the mean over {views} views of an image." if views > 1 else ""


def _count(ranked: pd.DataFrame) -> str:
    return "1 model" if len(ranked) == 1 else f"{len(ranked)} models"
