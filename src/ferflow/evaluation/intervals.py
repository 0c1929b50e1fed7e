"""Intervals for scores that were measured on finitely many samples.

A plain bootstrap fails where a class is rare. With 280 samples of FER-2013's proportions a test split has
four faces of disgust; if none of them is recognised, every resample says F1 = 0 as well, and its 95 %
intervals for macro-F1 contain the truth in 84 % of splits (BCa: 87 %). So the resamples here are those of the
Bayesian bootstrap (Rubin, Annals of Statistics, 1981), which weighs the samples at random instead of drawing
some of them again, and each class gets half a sample more: one that is right for the upper end, one that is
wrong for the lower end. Of a single proportion that gives an interval between Jeffreys's and Clopper and
Pearson's (Brown, Cai and DasGupta, Statistical Science, 2001). In simulated splits of 280 and of 3,589
samples, of models that are right in 58 % to 96 %, the truth is inside in 94 % to 97 %; if a model never
predicts some class, the upper end is cautious (up to 99 %).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ferflow.evaluation.class_scores import Floats, f1

_DRAWS: Final = 2000  # another seed then moves an end by about 2 % of the interval's width
_SEED: Final = 2013
_TAIL: Final = 0.025
_HALF: Final = 0.5
_Z: Final = 1.959964  # of a normal distribution, 95 % lie within so many standard deviations


class Interval(NamedTuple):
    """The ends of a 95 % interval."""

    low: float
    high: float


def intervals(counts: npt.NDArray[np.int64]) -> dict[str, Interval]:
    """Return the 95 % bootstrap intervals of `accuracy` and `macro_f1`; both contain the score itself.

    Both scores depend on the counts alone, and so do their resamples: the sum of exponential weights over the
    samples of a cell is a gamma variate. The samples' order cannot matter.

    Args:
        counts: Shape `(K, K)`, not all zero; rows are the actual, columns the predicted classes.
    """
    generator = np.random.default_rng(_SEED)
    weights = generator.standard_gamma(counts, size=(_DRAWS, *counts.shape))
    hits = np.diagonal(weights, axis1=1, axis2=2)

    right, total = hits.sum(axis=1), weights.sum(axis=(1, 2))
    more = generator.standard_gamma(_HALF, size=_DRAWS)
    accuracy = _ends(right / (total + more), (right + more) / (total + more))

    called = weights.sum(axis=1) + weights.sum(axis=2)
    # A class without samples has F1 = 0 by definition: nothing about it is uncertain.
    more_of_each = generator.standard_gamma(_HALF, size=hits.shape) * (counts.sum(axis=1) > 0)
    lower = f1(hits, called + more_of_each).mean(axis=1)
    upper = f1(hits + more_of_each, called + 2 * more_of_each).mean(axis=1)
    return {"accuracy": accuracy, "macro_f1": _ends(lower, upper)}


def wilson(share: npt.NDArray[Any], samples: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the lower and upper ends of the 95 % intervals of shares, each of so many samples.

    Wilson, "Probable inference, the law of succession, and statistical inference" (Journal of the American
    Statistical Association, 1927): within [0, 1], and not empty where all or none are right.

    Args:
        share: Any shape, in [0, 1].
        samples: Same shape, 1 or more.
    """
    spread = _Z**2 / samples
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * np.sqrt(share * (1 - share) / samples + spread / (4 * samples)) / (1 + spread)
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)


def _ends(lower: Floats, upper: Floats) -> Interval:
    return Interval(float(np.quantile(lower, _TAIL)), float(np.quantile(upper, 1 - _TAIL)))
