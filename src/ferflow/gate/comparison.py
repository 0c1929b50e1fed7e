"""Changed models against the base: which drops are larger than allowed, and no noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.evaluation.class_scores import class_scores
from ferflow.evaluation.confusions import confusion_counts
from ferflow.evaluation.intervals import intervals
from ferflow.evaluation.outcomes import Outcomes
from ferflow.gate.differences import Differences, Pair, adjusted, critical, measure
from ferflow.gate.features import CLASS_METRICS, METRICS, NAMES, SIGNS
from ferflow.gate.verdict import Change, Comparison
from ferflow.labels import EMOTIONS
from ferflow.params.gate import GateParams, MaxDropParams

Mask = npt.NDArray[np.bool_]

_OF_MODELS: Final = np.array([name in METRICS for name in NAMES])
_OF_CLASSES: Final = ~_OF_MODELS
_OF_BEST: Final = np.array([name in {"accuracy", "macro_f1"} for name in NAMES])
#: Of a model near chance: which class it answers always, and how sure, is luck, and no skill to lose.
_NEAR_CHANCE: Final = np.array(
    [name in {"accuracy", "balanced_accuracy", "macro_f1", "log_loss"} for name in NAMES]
)
_ACCURACY: Final = NAMES.index("accuracy")


@dataclass(frozen=True, eq=False)
class Compared:
    """What `compare_models` returns.

    Args:
        models: One for each pair, in their order.
        best: None if there is no pair of the best.
        noticeable: The smallest drop of accuracy that is no noise, of the model where it is largest.
    """

    models: list[Comparison]
    best: Comparison | None
    noticeable: float | None


def compare_models(
    models: Mapping[str, Pair],
    best: tuple[str, str, Pair] | None,
    limits: GateParams,
    *,
    paired: bool = True,
) -> Compared:
    """Return how each model changed on test, and what of it is a regression.

    Three families are judged on their own: the models' scores, their classes, the best model.

    Args:
        models: By name; all on the same samples.
        best: The name of the best model at the base and now, and their answers; None if that did not
            change.
        limits: What is allowed.
        paired: Whether both sides are on the same samples.
    """
    pairs = list(models.values())
    everything = measure(pairs + ([best[2]] if best else []), paired=paired)
    measured, of_best = everything[: len(pairs)], everything[len(pairs) :]
    allowed = _allowed(limits.max_drop)

    chance = [_near_chance(pair.base) for pair in pairs]
    of_scores = [_OF_MODELS & (_NEAR_CHANCE if lost else True) for lost in chance]
    of_classes = [_OF_CLASSES & (not lost) for lost in chance]
    p_scores, p_classes = adjusted(measured, of_scores), adjusted(measured, of_classes)
    comparisons = [
        _comparison(name, name, pair, differences, masks, p_values, allowed, limits.significance, paired)
        for (name, pair), differences, masks, p_values in zip(
            models.items(),
            measured,
            [whole | classes for whole, classes in zip(of_scores, of_classes, strict=True)],
            [np.minimum(whole, classes) for whole, classes in zip(p_scores, p_classes, strict=True)],
            strict=True,
        )
    ]
    compared_best = None
    if best:
        base_name, name, pair = best
        p_best = adjusted(of_best, [_OF_BEST])[0]
        at_most = np.full(len(NAMES), limits.max_drop.best)
        compared_best = _comparison(
            name, base_name, pair, of_best[0], _OF_BEST, p_best, at_most, limits.significance, paired
        )
    noticeable = None
    if measured:
        beyond = critical(measured, of_scores, limits.significance)
        # None where all answers are right or wrong as before, and only the probabilities are others.
        noticeable = beyond * max(float(differences.deviation[_ACCURACY]) for differences in measured) or None
    return Compared(comparisons, compared_best, noticeable)


def on_samples(outcomes: Outcomes, ids: pd.Index | None) -> Outcomes:
    """Return the outcomes of some of the samples, in the order of their ids; all for None."""
    if ids is None:
        return outcomes
    rows = pd.Index(outcomes.sample_id).isin(ids)
    return Outcomes(
        sample_id=outcomes.sample_id[rows],
        actual=outcomes.actual[rows],
        predicted=outcomes.predicted[rows],
        probabilities=outcomes.probabilities[rows],
    )


def _comparison(
    name: str,
    base_name: str,
    pair: Pair,
    differences: Differences,
    judged: Mask,
    p_values: npt.NDArray[np.float64],
    allowed: npt.NDArray[np.float64],
    significance: float,
    paired: bool,
) -> Comparison:
    low, high = _ends(pair, differences, paired)
    changes = []
    for place in np.flatnonzero(judged):
        drop = (differences.base[place] - differences.now[place]) * SIGNS[place]
        # Exchanges say that something differs; where accuracy rose a lot, not that calibration does.
        real = high[place] < 0 if SIGNS[place] > 0 else low[place] > 0
        changes.append(
            Change(
                metric=NAMES[place],
                base=float(differences.base[place]),
                now=float(differences.now[place]),
                low=float(low[place]),
                high=float(high[place]),
                p_value=float(p_values[place]),
                allowed=float(allowed[place]),
                regressed=bool(drop > allowed[place] and p_values[place] <= significance and real),
            )
        )
    return Comparison(name, base_name, len(pair.now.actual), paired, tuple(changes))


def _ends(
    pair: Pair, differences: Differences, paired: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the ends of the intervals; where comparisons.csv has them too, they are made as there."""
    low, high = differences.low.copy(), differences.high.copy()
    if paired:
        # It imports scipy, which takes longer than all the rest where no model has changed.
        from ferflow.evaluation.significance import pair_counts, paired_differences

        counts = pair_counts(pair.now.actual, pair.now.predicted, pair.base.predicted, len(EMOTIONS))
        for name, difference in paired_differences(counts).items():
            low[NAMES.index(name)], high[NAMES.index(name)] = difference.low, difference.high
    return low, high


def _near_chance(outcomes: Outcomes) -> bool:
    """Return whether it is not shown to be better than one constant answer, by the leaderboard's rule."""
    counts = confusion_counts(outcomes)
    support = class_scores(counts).support
    return bool(intervals(counts)["accuracy"].low <= support.max() / support.sum())


def _allowed(max_drop: MaxDropParams) -> npt.NDArray[np.float64]:
    values = max_drop.model_dump()
    return np.array([values["class_f1" if name in CLASS_METRICS else name] for name in NAMES])
