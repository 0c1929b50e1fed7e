"""Metrics of a classifier over the seven emotions, as `dvc metrics` and the leaderboard read them.

Every average runs over all of `EMOTIONS`: a class that a split does not contain counts as zero
instead of dropping out, so that a number means the same on every data set.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    classification_report,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    recall_score,
    top_k_accuracy_score,
)

from ferflow.evaluation.outcomes import Outcomes
from ferflow.labels import EMOTIONS

_CLASSES: Final = list(range(len(EMOTIONS)))
_DIGITS: Final = 6  # more would show differences between processors as changes
_CLIP: Final = 1e-7  # where Keras clips too: log_loss is then the validation loss of the training curves


def summarize(outcomes: dict[str, Outcomes]) -> dict[str, dict[str, float | int]]:
    """Return `{split: {metric: value}}`: the scores rounded to 6 digits, and the number of samples."""
    return {
        split: {
            **{name: round(value, _DIGITS) for name, value in scores(of_split).items()},
            "samples": len(of_split.actual),
        }
        for split, of_split in outcomes.items()
    }


def scores(outcomes: Outcomes) -> dict[str, float]:
    """Return the scores of one split, not rounded.

    Returns:
        accuracy: Share of samples whose prediction is right, in [0, 1].
        balanced_accuracy: Mean recall of the seven classes, in [0, 1].
        macro_f1: Mean F1 of the seven classes, in [0, 1]; what the champion is chosen by.
        weighted_f1: Mean F1 weighted by the classes' true frequency, in [0, 1].
        top2_accuracy: Share of samples whose truth is among the two most probable, in [0, 1].
        log_loss: Mean negative log probability of the truth, in nats; 1.946 is uniform guessing.
    """
    actual, predicted = outcomes.actual, outcomes.predicted
    clipped = np.clip(outcomes.probabilities, _CLIP, 1 - _CLIP)
    normalised = clipped / clipped.sum(axis=1, keepdims=True)
    fixed: dict[str, Any] = {"labels": _CLASSES, "zero_division": 0}
    return {
        "accuracy": float(accuracy_score(actual, predicted)),
        "balanced_accuracy": float(recall_score(actual, predicted, average="macro", **fixed)),
        "macro_f1": float(f1_score(actual, predicted, average="macro", **fixed)),
        "weighted_f1": float(f1_score(actual, predicted, average="weighted", **fixed)),
        "top2_accuracy": float(top_k_accuracy_score(actual, outcomes.probabilities, k=2, labels=_CLASSES)),
        "log_loss": float(log_loss(actual, normalised, labels=_CLASSES)),
    }


def per_class(outcomes: dict[str, Outcomes]) -> pd.DataFrame:
    """Return one row per split and emotion: `split`, `label`, `precision`, `recall`, `f1`, `support`."""
    tables = []
    for split, of_split in outcomes.items():
        precision, recall, f1, support = precision_recall_fscore_support(
            of_split.actual, of_split.predicted, labels=_CLASSES, zero_division=0
        )
        values = {"precision": precision, "recall": recall, "f1": f1}
        columns = {name: np.round(value, _DIGITS) for name, value in values.items()}
        tables.append(pd.DataFrame({"split": split, "label": EMOTIONS, **columns, "support": support}))
    return pd.concat(tables, ignore_index=True)


def confusion_counts(outcomes: Outcomes) -> npt.NDArray[np.int64]:
    """Return the `(7, 7)` counts of one split: rows are the actual, columns the predicted emotions."""
    counts = confusion_matrix(outcomes.actual, outcomes.predicted, labels=_CLASSES)
    return np.asarray(counts, dtype=np.int64)


def report_text(outcomes: Outcomes) -> str:
    """Return scikit-learn's classification report of one split as a table for a terminal."""
    return str(_report(outcomes, digits=3))


def report_values(outcomes: Outcomes) -> dict[str, Any]:
    """Return scikit-learn's classification report of one split as values, rounded to 6 digits."""
    return {name: _rounded(value) for name, value in _report(outcomes, output_dict=True).items()}


def _report(outcomes: Outcomes, **options: Any) -> Any:
    fixed: dict[str, Any] = {"labels": _CLASSES, "target_names": EMOTIONS, "zero_division": 0}
    return classification_report(outcomes.actual, outcomes.predicted, **fixed, **options)


def _rounded(value: float | dict[str, float]) -> float | dict[str, float]:
    if not isinstance(value, dict):
        return round(float(value), _DIGITS)
    return {
        name: int(number) if name == "support" else round(float(number), _DIGITS)
        for name, number in value.items()
    }
