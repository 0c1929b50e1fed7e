"""Which models to take into an ensemble, chosen on the validation split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from ferflow.evaluation.class_scores import f1
from ferflow.evaluation.comparisons import check_same_samples
from ferflow.evaluation.outcomes import Outcomes
from ferflow.labels import EMOTIONS

#: Parts of the validation split, each of which is predicted by what the others choose.
FOLDS: Final = 5
#: That often, at most, answers that are independent of the truth would be taken for better.
_LUCK: Final = 0.025


def greedy_selection(outcomes: Mapping[str, Outcomes], rounds: int) -> dict[str, int]:
    """Return the members of an ensemble, chosen for its macro-F1, and how often each was chosen.

    Caruana et al., "Ensemble selection from libraries of models" (ICML 2004), with replacement: in each round
    the model is added, again if need be, that makes the mean of all chosen so far best; of equals the one
    whose name sorts first. Of the ensembles after each round the first best one is returned. How often a
    model was chosen is its weight. Models whose answers are not shown to have to do with the truth are left
    out, unless all are: what they could add is luck, and each costs a network.

    Args:
        outcomes: Each candidate's outcomes on the validation split: what chooses must not be the test split.
            The ensemble's own score on the samples that chose it is too good, the more so the more candidates
            and rounds there are; see `selection_by_fold`.
        rounds: How many models are added, at least 1.

    Returns:
        `{model: times}` of the chosen models, sorted by name.

    Raises:
        FerflowError: The candidates were not measured on the same samples and labels.
    """
    if rounds < 1 or not outcomes:
        raise ValueError("at least one round and one candidate are needed")
    check_same_samples(outcomes)
    names = sorted(name for name, each in outcomes.items() if _is_able(each)) or sorted(outcomes)
    actual = outcomes[names[0]].actual
    total = np.zeros_like(outcomes[names[0]].probabilities)
    chosen: list[str] = []
    scores: list[float] = []
    for _ in range(rounds):
        reached = {name: _macro_f1(actual, total + outcomes[name].probabilities) for name in names}
        best = max(names, key=lambda name: reached[name])  # the first of equals
        chosen.append(best)
        scores.append(reached[best])
        total = total + outcomes[best].probabilities
    kept = chosen[: int(np.argmax(scores)) + 1]
    return {name: kept.count(name) for name in names if name in kept}


def selection_by_fold(outcomes: Mapping[str, Outcomes], rounds: int) -> list[dict[str, int]]:
    """Return for each fold of the validation split what `greedy_selection` chooses on all the others.

    Where each sample is predicted by a choice in which it had no part (cross-fitting), the score on the
    validation split is about as honest as that of a single model, and the two can be ranked by it. Copies of
    one image may lie in several folds.

    Args:
        outcomes: Each candidate's outcomes on the validation split.
        rounds: As of `greedy_selection`.

    Returns:
        `{model: times}` for each of `FOLDS` folds, which are those of `fold_numbers`.
    """
    check_same_samples(outcomes)
    folds = fold_numbers(next(iter(outcomes.values())).actual)
    return [
        greedy_selection({name: _part(each, folds != fold) for name, each in outcomes.items()}, rounds)
        for fold in range(FOLDS)
    ]


def fold_numbers(actual: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the fold of each sample, 0 to `FOLDS` - 1, stratified by class.

    Args:
        actual: Shape (N,), the class numbers of samples that are sorted by their ids.
    """
    folds = np.empty(len(actual), dtype=np.intp)
    # The classes one after the other, so that small ones do not all fill the first folds.
    folds[np.argsort(actual, kind="stable")] = np.arange(len(actual)) % FOLDS
    return folds


def _is_able(outcomes: Outcomes) -> bool:
    hits, samples = int((outcomes.predicted == outcomes.actual).sum()), len(outcomes.actual)
    # Not the share of the most frequent class: who is good at rare ones may be right less often than that.
    actual, predicted = (
        np.bincount(classes, minlength=len(EMOTIONS)) for classes in (outcomes.actual, outcomes.predicted)
    )
    chance = float(actual @ predicted) / samples**2
    return bool(binomtest(hits, samples, chance, alternative="greater").pvalue < _LUCK)


def _part(outcomes: Outcomes, kept: npt.NDArray[np.bool_]) -> Outcomes:
    return Outcomes(
        outcomes.sample_id[kept],
        outcomes.actual[kept],
        outcomes.predicted[kept],
        outcomes.probabilities[kept],
    )


def _macro_f1(actual: npt.NDArray[np.intp], votes: npt.NDArray[np.float64]) -> float:
    predicted = votes.argmax(axis=1)
    hits, of_class, called = (
        np.bincount(classes, minlength=len(EMOTIONS))
        for classes in (actual[actual == predicted], actual, predicted)
    )
    return float(f1(hits, of_class + called).mean())
