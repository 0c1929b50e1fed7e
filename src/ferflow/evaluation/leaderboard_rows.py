"""One model's row of the leaderboard, from the files of its report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.model_info import read_model_info
from ferflow.evaluation.outcomes import EVALUATED_SPLITS
from ferflow.evaluation.robustness.scores import clean_accuracy, corrupted_accuracy
from ferflow.evaluation.rounding import DIGITS
from ferflow.files import read_json, read_table

#: What is read of each split in metrics.json, in the order of the leaderboard's columns.
_METRICS: Final = {
    "val": ("macro_f1", "accuracy", "log_loss", "samples"),
    "test": (
        *(f"{metric}{end}" for metric in ("macro_f1", "accuracy") for end in ("", "_low", "_high")),
        "log_loss",
        "calibration_error",
        "samples",
    ),
}


def read_row(folder: Path, name: str, robustness: pd.DataFrame) -> dict[str, Any]:
    """Return a model's row: its scores, what they cost, and whether it is near chance.

    `test_majority_share` is the share of test's most frequent class, which is the accuracy of always giving
    that answer; a model whose interval of the accuracy reaches down to it is `near_chance`. `flops` is None
    where they cannot be counted. `corrupted_accuracy` is of `corrupted_samples` images, on which the model
    reaches `corrupted_clean_accuracy` while they are not damaged.

    Args:
        folder: The model's report: `metrics.json`, `per_class.csv`, `model.json`.
        name: The model's name in params.yaml.
        robustness: The content of its `robustness.csv`.

    Raises:
        FerflowError: A file is missing or not complete, or was written for another model.
    """
    info = read_model_info(folder / "model.json")
    if info.model != name:
        raise FerflowError(f"{folder / 'model.json'} is of the model {info.model}: run `dvc repro`.")
    path = folder / "metrics.json"
    metrics = read_json(path)
    measured = {
        f"{split}_{metric}": _number(metrics, split, metric, path)
        for split in EVALUATED_SPLITS
        for metric in _METRICS[split]
    }
    majority = _majority_share(folder / "per_class.csv")
    return {
        "model": name,
        "architecture": info.architecture,
        **measured,
        "test_majority_share": majority,
        "near_chance": measured["test_accuracy_low"] <= majority,
        "corrupted_accuracy": round(corrupted_accuracy(robustness), DIGITS),
        "corrupted_samples": int(robustness["samples"].iloc[0]),
        "corrupted_clean_accuracy": clean_accuracy(robustness),
        **info.model_dump(exclude={"model", "architecture", "evaluate", "members"}),
    }


def _number(metrics: Any, split: str, metric: str, path: Path) -> float:
    try:
        value = metrics[split][metric]
    except (KeyError, TypeError, IndexError):
        value = None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise FerflowError(f"{path}: {split}.{metric} is missing or not a number: run `dvc repro`.")
    return value


def _majority_share(path: Path) -> float:
    table = read_table(path, ["split", "support"])
    support = pd.to_numeric(table.loc[table["split"] == "test", "support"], errors="coerce")
    if not support.sum() > 0:
        raise FerflowError(f"{path}: there is no sample of test in it: delete it and run `dvc repro`.")
    return round(float(support.max() / support.sum()), DIGITS)
