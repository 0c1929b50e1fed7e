"""Scores of weighted samples: sums over samples, from which each score follows.

A resample of the bootstrap and an exchange of the permutation test are both sums of rows with other weights,
so that thousands of them are one product of matrices.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ferflow.evaluation.class_scores import Floats, f1
from ferflow.evaluation.outcomes import Outcomes
from ferflow.labels import EMOTIONS

#: Scores of a model as a whole, and whether a higher value is a better one.
METRICS: Final = {
    "accuracy": True,
    "balanced_accuracy": True,
    "macro_f1": True,
    "log_loss": False,
    "calibration_error": False,
}
#: What a class's score is called.
CLASS_METRICS: Final = tuple(f"f1 of {emotion}" for emotion in EMOTIONS)
#: All scores, in the order of the columns of `scores`.
NAMES: Final = (*METRICS, *CLASS_METRICS)
#: 1 where a higher score is better, -1 where a lower one is.
SIGNS: Final = np.array([1.0 if METRICS.get(name, True) else -1.0 for name in NAMES])

_CLASSES: Final = len(EMOTIONS)
# As in `ferflow.evaluation`: its metrics.json is held against these.
_CLIP: Final = 1e-7
_BINS: Final = 15


def features(outcomes: Outcomes) -> Floats:
    """Return one row per sample, of which `scores` takes the sums.

    Columns: by class whether it is a hit, whether the sample is of it, whether it is called so; the log
    loss; by bin of confidence, how far confidence is above being right.
    """
    one_hot = np.eye(_CLASSES)
    actual, called = one_hot[outcomes.actual], one_hot[outcomes.predicted]
    clipped = np.clip(outcomes.probabilities, _CLIP, 1 - _CLIP)
    truth = (clipped / clipped.sum(axis=1, keepdims=True))[np.arange(len(actual)), outcomes.actual]
    confidence = outcomes.probabilities.max(axis=1)
    edges = np.linspace(0, 1, _BINS + 1)[1:-1]
    excess = confidence - (outcomes.actual == outcomes.predicted)
    gaps = np.eye(_BINS)[np.searchsorted(edges, confidence, side="left")] * excess[:, None]
    return np.hstack([actual * called, actual, called, -np.log(truth)[:, None], gaps])


def scores(sums: Floats) -> Floats:
    """Return the scores, in the order of `NAMES`.

    Args:
        sums: Shape `(rows, columns)`, of weighted sums of features; the weights of a row sum to more than 0.
    """
    hits, actual, called, loss, gaps = np.split(sums, np.cumsum([_CLASSES, _CLASSES, _CLASSES, 1]), axis=1)
    total = actual.sum(axis=1)
    recall = np.divide(hits, actual, out=np.zeros_like(hits), where=actual > 0)
    of_classes = f1(hits, actual + called)
    whole = [
        hits.sum(axis=1) / total,
        recall.mean(axis=1),
        of_classes.mean(axis=1),
        loss[:, 0] / total,
        np.abs(gaps).sum(axis=1) / total,
    ]
    return np.column_stack([*whole, of_classes])
