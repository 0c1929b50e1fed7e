"""Several models as one: the mean of their probabilities, and which of them to take."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.class_scores import f1
from ferflow.evaluation.comparisons import check_same_samples
from ferflow.evaluation.outcomes import PROBABILITIES, Outcomes
from ferflow.evaluation.predictions import predictions_table
from ferflow.labels import EMOTIONS

_TRUTH = ["sample_id", "split", "label"]


def soft_vote(tables: Mapping[str, pd.DataFrame], weights: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return the predictions table of an ensemble: the mean of its members' probabilities for each sample.

    Rows are joined by sample id; neither their order nor that of the members has any influence.

    Args:
        tables: Each member's predictions table, of all evaluated splits.
        weights: Each member's weight, above 0; they need not sum to 1. None weighs all alike.

    Raises:
        FerflowError: The members did not predict the same samples under the same labels.
    """
    names = sorted(tables)
    weights = dict.fromkeys(names, 1.0) if weights is None else weights
    if not names or sorted(weights) != names or min(weights.values()) <= 0:
        raise ValueError(f"one weight above 0 for each of {names}, not {dict(weights)}")
    ordered = {name: tables[name].sort_values("sample_id", ignore_index=True) for name in names}
    truth = ordered[names[0]][_TRUTH]
    total = np.zeros((len(truth), len(PROBABILITIES)))
    for name, table in ordered.items():
        _check_same_rows(names[0], truth, name, table[_TRUTH])
        total += weights[name] * table[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    mean = total / sum(weights[name] for name in names)
    return predictions_table(truth, mean.astype(np.float32))


def greedy_selection(outcomes: Mapping[str, Outcomes], rounds: int) -> dict[str, int]:
    """Return the members of an ensemble, chosen for its macro-F1, and how often each was chosen.

    Caruana et al., "Ensemble selection from libraries of models" (ICML 2004), with replacement: in each round
    the model is added, again if need be, that makes the mean of all chosen so far best; of equals the one
    whose name sorts first. Of the ensembles after each round the first best one is returned. How often a
    model was chosen is its weight.

    Args:
        outcomes: Each candidate's outcomes on the validation split: what chooses must not be the test split.
            The ensemble's own score on the split that chose it is too good, the more so the more candidates
            and rounds there are.
        rounds: How many models are added, at least 1.

    Returns:
        `{model: times}` of the chosen models, sorted by name.

    Raises:
        FerflowError: The candidates were not measured on the same samples and labels.
    """
    if rounds < 1 or not outcomes:
        raise ValueError("at least one round and one candidate are needed")
    check_same_samples(outcomes)
    names = sorted(outcomes)
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


def _macro_f1(actual: npt.NDArray[np.intp], votes: npt.NDArray[np.float64]) -> float:
    predicted = votes.argmax(axis=1)
    hits, of_class, called = (
        np.bincount(classes, minlength=len(EMOTIONS))
        for classes in (actual[actual == predicted], actual, predicted)
    )
    return float(f1(hits, of_class + called).mean())


def _check_same_rows(first: str, expected: pd.DataFrame, name: str, found: pd.DataFrame) -> None:
    for column, what in (("sample_id", "samples"), ("split", "splits"), ("label", "labels")):
        if expected[column].tolist() != found[column].tolist():
            raise FerflowError(
                f"{first} and {name} were measured on different {what}: an ensemble needs predictions of the "
                "same samples; run `dvc repro`."
            )
