"""Does a model know how often it is right? Confidence against accuracy."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.evaluation.class_scores import Floats
from ferflow.evaluation.outcomes import Outcomes
from ferflow.evaluation.rounding import DIGITS

_BINS: Final = 15  # as in Guo et al.: the value depends on it


def calibration_error(outcomes: Outcomes) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, on average, in [0, 1].

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (AAAI,
    2015) and Guo et al., "On calibration of modern neural networks" (ICML, 2017): samples are put into 15
    bins of equal width by confidence, the probability of the predicted emotion; the error is the distance
    between mean confidence and accuracy in a bin, averaged over the samples. Few samples alone make some.
    """
    samples, confidence, right = _bins(outcomes)
    return float(np.abs(confidence - right).sum() / samples.sum())


def calibration_table(outcomes: Outcomes) -> pd.DataFrame:
    """Return one row per bin of confidence, 15 of equal width.

    Returns:
        `bin_low` (exclusive), `bin_high` (inclusive), number of `samples`, their mean `confidence` and their
        `accuracy`, in [0, 1]; these two are null in a bin without samples.
    """
    samples, confidence, right = _bins(outcomes)
    edges = np.round(_edges(), DIGITS)
    divisor = np.where(samples > 0, samples, np.nan)
    return pd.DataFrame(
        {
            "bin_low": edges[:-1],
            "bin_high": edges[1:],
            "samples": samples,
            "confidence": np.round(confidence / divisor, DIGITS),
            "accuracy": np.round(right / divisor, DIGITS),
        }
    )


def _bins(outcomes: Outcomes) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """Return for each bin the number of samples, the sum of their confidences and how many are right."""
    confidence = outcomes.probabilities.max(axis=1)
    place = np.searchsorted(_edges()[1:-1], confidence, side="left")
    samples = np.bincount(place, minlength=_BINS).astype(np.int64)
    right = (outcomes.actual == outcomes.predicted).astype(np.float64)
    sums = [np.bincount(place, values, minlength=_BINS).astype(np.float64) for values in (confidence, right)]
    return samples, sums[0], sums[1]


def _edges() -> Floats:
    return np.linspace(0, 1, _BINS + 1)
