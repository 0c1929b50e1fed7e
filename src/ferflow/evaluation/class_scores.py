"""Precision, recall and F1 of each class, from the counts of a confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassScores:
    """The scores of every class; what would be 0 divided by 0 is 0, as with scikit-learn's `zero_division=0`.

    Args:
        precision: Shape `(K,)`, in [0, 1]: how often the class is right where it is predicted.
        recall: Shape `(K,)`, in [0, 1]: how often it is found where it is actual.
        f1: Shape `(K,)`, in [0, 1]: their harmonic mean.
        support: Shape `(K,)`, number of samples that are of the class.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: npt.NDArray[np.int64]


def class_scores(counts: npt.NDArray[np.int64]) -> ClassScores:
    """Return the scores of every class.

    Args:
        counts: Shape `(K, K)`, not all zero; rows are the actual, columns the predicted classes.
    """
    hits, actual, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return ClassScores(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, actual),
        f1=f1(hits, actual + predicted),
        support=actual,
    )


def f1(hits: npt.NDArray[Any], called: npt.NDArray[Any]) -> Floats:
    """Return F1 from sums of counts or weights; 0 for a class that is neither there nor predicted.

    Args:
        hits: Any shape: how many samples of the class were predicted as the class.
        called: Same shape: how many samples are of the class, plus how many were predicted as the class.
    """
    return _ratio(2 * hits, called)


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0))
