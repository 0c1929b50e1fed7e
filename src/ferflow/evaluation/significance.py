"""Is one model really better than another? Statistics of two models' answers to the same samples."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from ferflow.evaluation.class_scores import Floats, f1

Counts = npt.NDArray[np.int64]
Classes = npt.NDArray[np.intp]

_DRAWS: Final = 1000  # another seed then moves an interval's ends by about 2 % of its width
_SEED: Final = 2013
_TAIL: Final = 0.025
_MORE: Final = 0.25  # samples: half of the half that a single model gets in `intervals`


class Difference(NamedTuple):
    """A difference, a minus b, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def mcnemar(only_a_right: int, only_b_right: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages"
    (Psychometrika, 1947). Of the samples that one model alone gets right, each model should have half if both
    were equally good; the others say nothing about which is better.

    Args:
        only_a_right: Number of samples that a gets right and b wrong.
        only_b_right: Number of samples that b gets right and a wrong.
    """
    decided = only_a_right + only_b_right
    return float(binomtest(only_a_right, decided).pvalue) if decided else 1.0


def holm(p_values: npt.ArrayLike) -> Floats:
    """Return p-values adjusted for their number, in the order given.

    Holm, "A simple sequentially rejective multiple test procedure" (Scand. J. Statist., 1979).
    If those below 0.05 are called real, the chance that even one of them is not is at most 5 %.

    Args:
        p_values: Shape `(M,)`, in [0, 1]; M may be 0.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.minimum(values[order] * np.arange(len(values), 0, -1), 1.0)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted


def pair_counts(actual: Classes, a: Classes, b: Classes, classes: int) -> Counts:
    """Return how often each class was called what by a and what by b.

    Args:
        actual: Shape `(N,)`, class numbers.
        a: Shape `(N,)`, what model a predicted for the same samples.
        b: Shape `(N,)`, what model b predicted for the same samples.
        classes: Number of classes, K.

    Returns:
        Shape `(K, K, K)`: by actual class, prediction of a, prediction of b.
    """
    shape = (classes, classes, classes)
    cells = np.ravel_multi_index((actual, a, b), shape)
    return np.bincount(cells, minlength=classes**3).reshape(shape).astype(np.int64)


def paired_differences(counts: Counts) -> dict[str, Difference]:
    """Return the differences of `accuracy` and `macro_f1`, a minus b, with 95 % bootstrap intervals.

    Rubin, "The Bayesian bootstrap" (Annals of Statistics, 1981), paired: samples get random weights, the same
    for both models. Both differences depend on the counts alone, and the weight of so many samples together
    is a gamma variate: the order of the samples cannot matter.

    As in `intervals`, and for the reasons there, each class gets half a sample more, shared by the models:
    for the lower end a is wrong about it and b right, for the upper end the other way round. In simulated
    splits of 280 and of 3,589 samples of FER-2013's proportions the truth is inside in 93 % to 99 %, where
    samples drawn with replacement give 82 % to 96 %.

    Args:
        counts: Shape `(K, K, K)`, as `pair_counts` returns them; not all zero.
    """
    generator = np.random.default_rng(_SEED)
    cells = np.nonzero(counts)
    drawn = generator.standard_gamma(counts[cells], size=(_DRAWS, len(cells[0])))
    # The first row is what was measured.
    weights = np.vstack([counts[cells], drawn])
    total = weights.sum(axis=1)
    (hits_a, called_a), (hits_b, called_b) = _sums(weights, cells, len(counts))

    right = hits_a.sum(axis=1) - hits_b.sum(axis=1)
    more = generator.standard_gamma(_MORE, size=_DRAWS)
    accuracy = Difference(
        float(right[0] / total[0]),
        _low((right[1:] - more) / (total[1:] + more)),
        _high((right[1:] + more) / (total[1:] + more)),
    )

    value = f1(hits_a[0], called_a[0]).mean() - f1(hits_b[0], called_b[0]).mean()
    hits_a, called_a, hits_b, called_b = hits_a[1:], called_a[1:], hits_b[1:], called_b[1:]
    # A class without samples has F1 = 0 by definition: nothing about it is uncertain.
    extra = generator.standard_gamma(_MORE, size=hits_a.shape) * (counts.sum(axis=(1, 2)) > 0)
    lower = f1(hits_a, called_a + extra) - f1(hits_b + extra, called_b + 2 * extra)
    upper = f1(hits_a + extra, called_a + 2 * extra) - f1(hits_b, called_b + extra)
    macro_f1 = Difference(float(value), _low(lower.mean(axis=1)), _high(upper.mean(axis=1)))
    return {"accuracy": accuracy, "macro_f1": macro_f1}


def _sums(
    weights: Floats, cells: tuple[Classes, ...], classes: int
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return for both models, by row of `weights` and class, what `f1` takes: hits, and how often called.

    Args:
        weights: Shape `(rows, M)`, of M cells.
        cells: Three arrays of shape `(M,)`: the actual class in a cell, what a predicted, what b predicted.
        classes: Number of classes, K.
    """
    one_hot = np.eye(classes)
    actual, *models = cells
    wanted = []
    for predicted in models:
        wanted.append(one_hot[actual] * (actual == predicted)[:, None])
        wanted.append(one_hot[actual] + one_hot[predicted])
    # All sums over cells in one product of matrices.
    of_a_hits, of_a, of_b_hits, of_b = np.split(weights @ np.hstack(wanted), 4, axis=1)
    return (of_a_hits, of_a), (of_b_hits, of_b)


def _low(values: Floats) -> float:
    return float(np.quantile(values, _TAIL))


def _high(values: Floats) -> float:
    return float(np.quantile(values, 1 - _TAIL))
