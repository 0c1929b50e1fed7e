"""Is a model worse than before, or is it noise? Paired tests and intervals for all scores at once.

*The test.* If two models are equally good, it makes no difference which of them gave which of two answers to
a sample. So answers are exchanged at random, sample by sample, and a drop counts as real if hardly any
exchange gives one as large: a permutation test, right for any score and any number of samples, rare classes
included, where a bootstrap is not. The same samples are exchanged in all models, and a drop is held against
the largest drop, in standard deviations, of anything in its family (Westfall and Young, "Resampling-based
multiple testing", 1993): many models and scores do not cry wolf, and those that say the same thing count as
one.

*The intervals* are of the Bayesian bootstrap, paired, as in `ferflow.evaluation.significance`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ferflow.evaluation.class_scores import Floats
from ferflow.evaluation.outcomes import Outcomes
from ferflow.gate.features import SIGNS, features, scores

_DRAWS: Final = 4000  # a p-value of 0.005 is then right to 0.001
_AT_ONCE: Final = 500  # rows of weights: 14 MB for 3,589 samples
_SEED: Final = 2013
_TAIL: Final = 0.025
_TOLERANCE: Final = 1e-9  # equal drops that were summed in another order


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sets of answers: of one model at the base and now, or of the best of both.

    Args:
        base: The answers at the base.
        now: The answers now; to the same samples in the same order if they are to be paired.
    """

    base: Outcomes
    now: Outcomes


@dataclass(frozen=True, eq=False)
class Differences:
    """What is known of the scores of one pair, each array in the order of `features.NAMES`.

    Args:
        base: Scores at the base.
        now: Scores now.
        low: Lower ends of the 95 % intervals of now less base.
        high: Upper ends.
        worse: By how much each is worse, in standard deviations of what exchanges give.
        null: The same of each exchange; shape `(draws, scores)`.
        deviation: That standard deviation.
    """

    base: Floats
    now: Floats
    low: Floats
    high: Floats
    worse: Floats
    null: Floats
    deviation: Floats


def measure(pairs: list[Pair], *, paired: bool) -> list[Differences]:
    """Return the differences of each pair.

    Args:
        pairs: All on the same samples.
        paired: Whether the samples of both sides are the same; if not, samples instead of answers are
            exchanged, and differences of the samples count as differences of the models.
    """
    rows = [(features(pair.base), features(pair.now)) for pair in pairs]
    if not rows:
        return []
    sizes = len(rows[0][0]), len(rows[0][1])
    exchanged = [
        [_exchange(base, now, taken, paired) for base, now in rows] for taken in _taken(*sizes, paired)
    ]
    resampled = [
        [_resample(base, now, *weights) for base, now in rows] for weights in _weights(*sizes, paired)
    ]
    return [
        _differences(
            *row, np.vstack([of[place] for of in exchanged]), np.vstack([of[place] for of in resampled])
        )
        for place, row in enumerate(rows)
    ]


def adjusted(family: list[Differences], judged: list[npt.NDArray[np.bool_]]) -> list[Floats]:
    """Return one-sided p-values of "it is not worse", adjusted for all that is judged in the family.

    Args:
        family: Of one call of `measure`.
        judged: For each of them which scores are judged; the p-value of the others is 1.
    """
    largest = np.full(_DRAWS, -np.inf)
    for differences, mask in zip(family, judged, strict=True):
        if mask.any():
            largest = np.maximum(largest, differences.null[:, mask].max(axis=1))
    values = []
    for differences, mask in zip(family, judged, strict=True):
        beyond = (largest[:, None] >= differences.worse[None, :] - _TOLERANCE).sum(axis=0)
        values.append(np.where(mask, (1 + beyond) / (1 + _DRAWS), 1.0))
    return values


def critical(family: list[Differences], judged: list[npt.NDArray[np.bool_]], significance: float) -> float:
    """Return from how many standard deviations on a drop is no noise."""
    largest = [of.null[:, mask].max(axis=1) for of, mask in zip(family, judged, strict=True) if mask.any()]
    return float(np.quantile(np.max(largest, axis=0), 1 - significance))


def _differences(base: Floats, now: Floats, exchanged: Floats, resampled: Floats) -> Differences:
    at_base, at_now = scores(base.sum(axis=0)[None])[0], scores(now.sum(axis=0)[None])[0]
    worse, null = (at_base - at_now) * SIGNS, -exchanged * SIGNS
    deviation = null.std(axis=0)
    # What no exchange changes is the same on both sides.
    divisor = np.where(deviation > _TOLERANCE, deviation, np.inf)
    low, high = np.quantile(resampled, (_TAIL, 1 - _TAIL), axis=0)
    return Differences(at_base, at_now, low, high, worse / divisor, null / divisor, deviation)


def _exchange(base: Floats, now: Floats, taken: Floats, paired: bool) -> Floats:
    """Return now less base for each exchange."""
    if paired:
        moved = taken @ (base - now)
        return scores(now.sum(axis=0) + moved) - scores(base.sum(axis=0) - moved)
    pool = np.vstack([base, now])
    moved = taken @ pool
    return scores(moved) - scores(pool.sum(axis=0) - moved)


def _resample(base: Floats, now: Floats, base_weights: Floats, now_weights: Floats) -> Floats:
    return scores(now_weights @ now) - scores(base_weights @ base)


def _taken(base: int, now: int, paired: bool) -> Iterator[Floats]:
    """Yield which answers (paired), or which samples of both sides in a row, are exchanged in each draw."""
    generator = np.random.default_rng(_SEED)
    for _ in range(_DRAWS // _AT_ONCE):
        if paired:
            yield generator.integers(0, 2, size=(_AT_ONCE, now)).astype(np.float64)
        else:
            sides = np.repeat([0.0, 1.0], [base, now])
            yield generator.permuted(np.tile(sides, (_AT_ONCE, 1)), axis=1)


def _weights(base: int, now: int, paired: bool) -> Iterator[tuple[Floats, Floats]]:
    generator = np.random.default_rng(_SEED)
    for _ in range(_DRAWS // _AT_ONCE // 4):
        of_now = generator.standard_exponential(size=(_AT_ONCE, now))
        yield (of_now if paired else generator.standard_exponential(size=(_AT_ONCE, base))), of_now
