"""Precision against recall of each emotion, over all thresholds of its probability (one-vs-rest)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.evaluation.class_scores import Floats
from ferflow.evaluation.outcomes import Outcomes
from ferflow.evaluation.rounding import DIGITS
from ferflow.labels import EMOTIONS

_POINTS: Final = 100  # of a curve: one for every percent of recall


def average_precision(outcomes: Outcomes) -> Floats:
    """Return each emotion's average precision, shape `(7,)`, in [0, 1]; NaN for one without samples.

    It is the area under the steps of the curve, not interpolated, as in scikit-learn: the mean precision over
    the samples of the emotion, each at the threshold at which it is found. Guessing reaches their share.
    """
    areas = np.full(len(EMOTIONS), np.nan)
    for place in np.unique(outcomes.actual):
        _, precision, recall = _curve(outcomes.actual == place, outcomes.probabilities[:, place])
        areas[place] = np.sum(np.diff(recall, prepend=0) * precision)
    return areas


def precision_recall_table(outcomes: Outcomes) -> pd.DataFrame:
    """Return the curves, for each emotion at most 100 points from the highest threshold to the lowest.

    A curve keeps only points at which recall rises: the others add nothing to its area. Of these it keeps the
    first, the last and those between at even steps of recall.

    Returns:
        `label`, `threshold`, `precision`, `recall`, all in [0, 1]; no row for an emotion without samples.
    """
    curves = []
    for place in np.unique(outcomes.actual):
        columns = _curve(outcomes.actual == place, outcomes.probabilities[:, place])
        kept = _evenly(columns[2])
        values = (np.round(column[kept], DIGITS) for column in columns)
        names = ("threshold", "precision", "recall")
        curves.append(pd.DataFrame({"label": EMOTIONS[place], **dict(zip(names, values, strict=True))}))
    return pd.concat(curves, ignore_index=True)


def _curve(is_class: npt.NDArray[np.bool_], probability: Floats) -> tuple[Floats, Floats, Floats]:
    """Return threshold, precision and recall where recall rises, from the highest threshold to the lowest."""
    order = np.argsort(-probability)
    descending = probability[order]
    # Equal probabilities are found together, whatever their order.
    last = np.flatnonzero(np.diff(descending, append=-1))
    hits = np.cumsum(is_class[order])[last]
    rises = np.diff(hits, prepend=0) > 0
    threshold, precision, recall = descending[last], hits / (last + 1), hits / hits[-1]
    return threshold[rises], precision[rises], recall[rises]


def _evenly(recall: Floats) -> npt.NDArray[np.intp]:
    """Return the places of at most 100 points, among them the first and the last, at even steps of recall."""
    if len(recall) <= _POINTS:
        return np.arange(len(recall))
    return np.unique(np.searchsorted(recall, np.linspace(recall[0], 1, _POINTS)))
