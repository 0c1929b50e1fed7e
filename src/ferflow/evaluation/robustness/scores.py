"""robustness.csv: what it holds, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ferflow.errors import FerflowError
from ferflow.evaluation.intervals import wilson
from ferflow.evaluation.robustness.corruptions import CLEAN, CORRUPTIONS, SEVERITIES
from ferflow.files import read_table

_COLUMNS: Final = ("corruption", "severity", "samples", "accuracy", "macro_f1")


def read(path: Path) -> pd.DataFrame:
    """Return the content of a robustness.csv that the evaluate stage wrote.

    Raises:
        FerflowError: The file is missing, or is not what `score_answers` returns.
    """
    table = read_table(path)
    problem = _problem(table)
    if problem:
        raise FerflowError(f"{path}: {problem}: delete it and run `dvc repro`.")
    return table


def require_comparable(tables: Mapping[str, pd.DataFrame]) -> None:
    """Require that models were asked about equally many images at the same severities.

    Args:
        tables: robustness.csv by the model's name.

    Raises:
        FerflowError: They were not.
    """
    asked = {name: (int(table["samples"].iloc[0]), severities(table)) for name, table in tables.items()}
    if len({str(question) for question in asked.values()}) > 1:
        found = "; ".join(f"{name} {count:,} at {levels}" for name, (count, levels) in asked.items())
        raise FerflowError(
            f"robustness.csv: the models were asked about different images or severities ({found}): "
            "run `dvc repro`."
        )


def severities(table: pd.DataFrame) -> list[int]:
    """Return the severities that were measured, lowest first."""
    return sorted({int(severity) for severity in table["severity"]} - {0})


def clean_accuracy(table: pd.DataFrame) -> float:
    """Return the accuracy on the clean images of the same samples, in [0, 1]."""
    return float(table.loc[table["corruption"] == CLEAN, "accuracy"].iloc[0])


def accuracy_by_corruption(table: pd.DataFrame) -> pd.Series:
    """Return each corruption's accuracy, the mean over its severities, in the order of `CORRUPTIONS`.

    Those that were not measured are not there.
    """
    means = table[table["corruption"] != CLEAN].groupby("corruption")["accuracy"].mean()
    return means.loc[[name for name in CORRUPTIONS if name in means]]


def corrupted_accuracy(table: pd.DataFrame) -> float:
    """Return the mean over the corruptions of the mean accuracy over their severities, in [0, 1].

    Models compare by it where they were asked about the same images at the same severities. Hendrycks and
    Dietterich (2019) divide by the errors of AlexNet, which nobody trains on faces; see `retained_accuracy`.
    """
    return float(accuracy_by_corruption(table).mean())


def retained_accuracy(table: pd.DataFrame) -> float | None:
    """Return corrupted accuracy as a share of the clean accuracy of the same samples.

    It says how steady a model is, not how good: one that guesses keeps all of its accuracy.

    Returns:
        1.0 where nothing is lost, more where damage helps, None where the clean accuracy is 0.
    """
    clean = clean_accuracy(table)
    return corrupted_accuracy(table) / clean if clean else None


def accuracy_interval(accuracy: float, samples: int) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy that was measured on a few samples (Wilson's)."""
    low, high = wilson(np.array(accuracy), np.array(samples))
    return float(low), float(high)


def _problem(table: pd.DataFrame) -> str | None:
    """Return what keeps `table` from being one of `score_answers`, or None."""
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing:
        return f"missing column(s) {', '.join(missing)}"
    numbers = table[list(_COLUMNS[1:])]
    if not all(map(is_numeric_dtype, numbers.dtypes)) or numbers.isna().any(axis=None):
        return "a number is missing"
    found = list(zip(table["corruption"], table["severity"], strict=True))
    measured = severities(table)
    expected = {(CLEAN, 0), *((name, severity) for name in CORRUPTIONS for severity in measured)}
    if not measured or not set(measured) <= set(SEVERITIES) or set(found) != expected:
        return "not every corruption is there at the same severities (1 to 5), beside the clean images"
    if len(found) != len(expected):
        return "a corruption and severity stand twice"
    if (table["samples"] != table["samples"].iloc[0]).any() or table["samples"].iloc[0] < 1:
        return "its rows are of different samples"
    if not numbers[["accuracy", "macro_f1"]].apply(lambda column: column.between(0, 1)).all(axis=None):
        return "an accuracy or macro-F1 is not between 0 and 1"
    return None
