"""Soft voting: the mean of several models' probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import PROBABILITIES
from ferflow.evaluation.predictions import predictions_table

#: What names a row of a table of answers to damaged images.
_QUESTION: Final = ("corruption", "severity", "sample_id")


def soft_vote(tables: Mapping[str, pd.DataFrame], weights: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return the predictions table of an ensemble: the mean of its members' probabilities for each sample.

    Rows are joined by sample id; neither their order nor that of the members has any influence.

    Args:
        tables: Each member's predictions table, of all evaluated splits.
        weights: Each member's weight, above 0; they need not sum to 1. None weighs all alike.

    Raises:
        FerflowError: The members did not predict the same samples under the same labels.
    """
    ordered = {name: table.sort_values("sample_id", ignore_index=True) for name, table in tables.items()}
    truth, mean = _weighted_mean(ordered, weights, ("sample_id", "split", "label"))
    return predictions_table(truth, mean)


def soft_vote_on_damaged(
    tables: Mapping[str, pd.DataFrame], weights: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Return an ensemble's answers to damaged images, as `robustness.probe` returns a model's.

    Args:
        tables: Each member's answers. The members were asked about the same images in the same order.
        weights: As of `soft_vote`.

    Raises:
        FerflowError: They were not.
    """
    asked, mean = _weighted_mean(
        {name: table.reset_index(drop=True) for name, table in tables.items()}, weights, _QUESTION
    )
    return asked.join(pd.DataFrame(mean, columns=list(PROBABILITIES)))


def _weighted_mean(
    tables: Mapping[str, pd.DataFrame], weights: Mapping[str, float] | None, keys: Sequence[str]
) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    """Return what all tables say of their rows, and the mean of their probabilities."""
    names = sorted(tables)
    weights = dict.fromkeys(names, 1.0) if weights is None else weights
    if not names or sorted(weights) != names or min(weights.values()) <= 0:
        raise ValueError(f"one weight above 0 for each of {names}, not {dict(weights)}")
    of_rows = tables[names[0]][list(keys)]
    total = np.zeros((len(of_rows), len(PROBABILITIES)))
    for name in names:
        _check_same_rows(names[0], of_rows, name, tables[name])
        total += weights[name] * tables[name][list(PROBABILITIES)].to_numpy(dtype=np.float64)
    mean = total / sum(weights[name] for name in names)
    return of_rows, mean.astype(np.float32)


def _check_same_rows(first: str, expected: pd.DataFrame, name: str, found: pd.DataFrame) -> None:
    words = {"corruption": "corruptions", "severity": "severities", "sample_id": "samples"}
    for column in expected.columns:
        if expected[column].tolist() != found[column].tolist():
            raise FerflowError(
                f"{first} and {name} were measured on different {words.get(column, f'{column}s')}: an "
                "ensemble needs predictions of the same samples; run `dvc repro`."
            )
