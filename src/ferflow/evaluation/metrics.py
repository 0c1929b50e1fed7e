"""Metrics of a classifier over the seven emotions, as `dvc metrics` and the leaderboard read them.

Every average runs over all of `EMOTIONS`: a class that a split does not contain counts as zero
instead of dropping out, so that a number means the same on every data set.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ferflow.evaluation.calibration import calibration_error
from ferflow.evaluation.class_scores import class_scores
from ferflow.evaluation.confusions import confusion_counts
from ferflow.evaluation.intervals import intervals
from ferflow.evaluation.outcomes import Outcomes
from ferflow.evaluation.precision_recall import average_precision
from ferflow.evaluation.rounding import DIGITS
from ferflow.labels import EMOTIONS

_CLIP: Final = 1e-7  # where Keras clips too: log_loss is then the validation loss of the training curves


def summarize(outcomes: dict[str, Outcomes]) -> dict[str, dict[str, float | int]]:
    """Return `{split: {metric: value}}`: what metrics.json holds, rounded to 6 digits.

    Of each split the `scores`, the ends of the 95 % intervals of two of them (`accuracy_low`,
    `accuracy_high`, `macro_f1_low`, `macro_f1_high`), and the number of `samples`.
    """
    return {split: _summary(of_split) for split, of_split in outcomes.items()}


def scores(outcomes: Outcomes) -> dict[str, float]:
    """Return the scores of one split, not rounded.

    Returns:
        accuracy: Share of samples whose prediction is right, in [0, 1].
        balanced_accuracy: Mean recall of the seven classes, in [0, 1].
        macro_f1: Mean F1 of the seven classes, in [0, 1]; what the champion is chosen by.
        weighted_f1: Mean F1 weighted by the classes' true frequency, in [0, 1].
        top2_accuracy: Share of samples whose truth is among the two most probable, in [0, 1].
        log_loss: Mean negative log probability of the truth, in nats; 1.946 is uniform guessing.
        calibration_error: Mean distance of confidence from accuracy, in [0, 1].
    """
    of_classes = class_scores(confusion_counts(outcomes))
    return {
        "accuracy": float(np.mean(outcomes.actual == outcomes.predicted)),
        "balanced_accuracy": float(of_classes.recall.mean()),
        "macro_f1": float(of_classes.f1.mean()),
        "weighted_f1": float(np.average(of_classes.f1, weights=of_classes.support)),
        "top2_accuracy": _top2_accuracy(outcomes),
        "log_loss": _log_loss(outcomes),
        "calibration_error": calibration_error(outcomes),
    }


def per_class(outcomes: dict[str, Outcomes]) -> pd.DataFrame:
    """Return one row per split and emotion, rounded to 6 digits.

    Returns:
        `split`, `label`, `precision`, `recall`, `f1`, `support`, `average_precision`; for an emotion without
        samples the last is null, the others 0.
    """
    tables = []
    for split, of_split in outcomes.items():
        of_classes = class_scores(confusion_counts(of_split))
        columns = {
            "precision": np.round(of_classes.precision, DIGITS),
            "recall": np.round(of_classes.recall, DIGITS),
            "f1": np.round(of_classes.f1, DIGITS),
            "support": of_classes.support,
            "average_precision": np.round(average_precision(of_split), DIGITS),
        }
        tables.append(pd.DataFrame({"split": split, "label": EMOTIONS, **columns}))
    return pd.concat(tables, ignore_index=True)


def _summary(outcomes: Outcomes) -> dict[str, float | int]:
    ends = intervals(confusion_counts(outcomes))
    summary: dict[str, float | int] = {}
    for name, value in scores(outcomes).items():
        summary[name] = round(value, DIGITS)
        if name in ends:
            summary[f"{name}_low"] = round(ends[name].low, DIGITS)
            summary[f"{name}_high"] = round(ends[name].high, DIGITS)
    return {**summary, "samples": len(outcomes.actual)}


def _top2_accuracy(outcomes: Outcomes) -> float:
    # Stable: of equally probable emotions the first counts as the more probable, as for `predicted`.
    two = np.argsort(-outcomes.probabilities, axis=1, kind="stable")[:, :2]
    return float(np.mean((two == outcomes.actual[:, None]).any(axis=1)))


def _log_loss(outcomes: Outcomes) -> float:
    clipped = np.clip(outcomes.probabilities, _CLIP, 1 - _CLIP)
    normalised = clipped / clipped.sum(axis=1, keepdims=True)
    return float(-np.log(normalised[np.arange(len(outcomes.actual)), outcomes.actual]).mean())
