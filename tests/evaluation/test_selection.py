from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import Outcomes, join
from ferflow.evaluation.selection import FOLDS, fold_numbers, greedy_selection, selection_by_fold

from .invented import labels_table, predictions_table

LABELS = labels_table(300)
TIMES = 6


def tables(count: int) -> dict[str, pd.DataFrame]:
    return {f"model_{seed}": predictions_table(LABELS, seed) for seed in range(count)}


def outcomes(**probabilities: np.ndarray) -> dict[str, Outcomes]:
    """Outcomes of samples whose truth is angry, disgust, fear, happy, and again, from four rows each.

    Often enough for one right answer in four to be no luck.
    """
    ids = np.array([f"{number:02}" for number in range(4 * TIMES)], dtype=object)
    actual = np.tile(np.arange(4), TIMES)
    repeated = {name: np.tile(rows, (TIMES, 1)) for name, rows in probabilities.items()}
    return {name: Outcomes(ids, actual, rows.argmax(axis=1), rows) for name, rows in repeated.items()}


def believes(*classes: int, confidence: float = 1.0) -> np.ndarray:
    rest = (1 - confidence) / 6
    return np.where(np.arange(7) == np.array(classes)[:, None], confidence, rest)


def test_models_that_know_different_things_are_chosen_together() -> None:
    # Each knows two of four; what it does not know it says without confidence.
    left = np.vstack([believes(0, 1), believes(6, 6, confidence=0.2)])
    right = np.vstack([believes(6, 6, confidence=0.2), believes(2, 3)])
    wrong = believes(6, 6, 6, 6)
    assert greedy_selection(outcomes(left=left, right=right, wrong=wrong), rounds=5) == {
        "left": 1,
        "right": 1,
    }


def test_a_model_is_chosen_again_where_it_should_weigh_more() -> None:
    # Against "loud" on the last sample, "sure" needs two voices; without "loud" the first is lost.
    sure = np.vstack([believes(6, confidence=0.2), believes(1, 2), believes(3, confidence=0.6)])
    loud = np.vstack([believes(0), believes(6, 6, confidence=0.2), believes(6, confidence=0.99)])
    assert greedy_selection(outcomes(loud=loud, sure=sure), rounds=2) == {"sure": 1}
    assert greedy_selection(outcomes(loud=loud, sure=sure), rounds=5) == {"loud": 1, "sure": 2}


def test_of_equals_the_first_name_is_chosen_whatever_the_order() -> None:
    same = believes(0, 1, 2, 3)
    for order in (["b", "a", "c"], ["c", "b", "a"]):
        assert greedy_selection(outcomes(**dict.fromkeys(order, same)), rounds=3) == {"a": 1}


def test_the_selection_is_never_worse_on_what_chose_it_than_the_best_single_model() -> None:
    candidates = {name: join(table, LABELS)["val"] for name, table in tables(6).items()}

    def score(votes: np.ndarray, actual: np.ndarray) -> float:
        return float(
            f1_score(actual, votes.argmax(axis=1), average="macro", labels=range(7), zero_division=0)
        )

    actual = candidates["model_0"].actual
    alone = max(score(each.probabilities, actual) for each in candidates.values())
    chosen = greedy_selection(candidates, rounds=10)
    together = sum(times * candidates[name].probabilities for name, times in chosen.items())
    assert score(np.asarray(together), actual) > alone
    assert 1 < sum(chosen.values()) <= 10
    assert chosen == greedy_selection(dict(reversed(candidates.items())), rounds=10)


def test_what_guesses_is_left_out_where_it_would_help_by_luck() -> None:
    # Of six classes in turn one model knows five, and one says always the sixth.
    actual = np.arange(60) % 6
    ids = np.array([f"{number:02}" for number in range(60)], dtype=object)

    def model(probabilities: np.ndarray) -> Outcomes:
        return Outcomes(ids, actual, probabilities.argmax(axis=1), probabilities)

    unsure = np.where((actual == 5)[:, None], believes(0, confidence=0.2), np.eye(7)[actual])
    knows, constant = model(unsure), model(np.tile(believes(5, confidence=0.5), (60, 1)))
    together = (unsure + constant.probabilities).argmax(axis=1)
    assert (together == actual).all()
    assert greedy_selection({"constant": constant, "knows": knows}, rounds=4) == {"knows": 1}
    assert selection_by_fold({"constant": constant, "knows": knows}, rounds=4) == [{"knows": 1}] * FOLDS
    # Alone, it is all there is.
    assert greedy_selection({"constant": constant}, rounds=4) == {"constant": 1}


def test_a_model_that_is_good_at_rare_classes_is_kept_though_one_answer_for_all_is_right_as_often() -> None:
    actual = np.array([0] * 60 + [1] * 20 + [2] * 20)
    balanced = np.array([0] * 20 + [3] * 40 + [1] * 20 + [2] * 20)
    lazy = np.array([0] * 85 + [2] * 15)  # right more often than that, and blind to the second class
    models = {
        "balanced": one_hot(balanced.tolist(), actual.tolist()),
        "lazy": one_hot(lazy.tolist(), actual.tolist()),
    }
    assert (balanced == actual).mean() <= (actual == 0).mean()
    assert "balanced" in greedy_selection(models, rounds=1)


def test_candidates_on_other_samples_are_refused() -> None:
    models = outcomes(one=believes(0, 1, 2, 3), two=believes(0, 1, 2, 3))
    two = models["two"]
    models["two"] = Outcomes(
        np.array(list("abce"), dtype=object), two.actual, two.predicted, two.probabilities
    )
    with pytest.raises(FerflowError, match="one and two: measured on different samples"):
        greedy_selection(models, rounds=1)


def test_no_round_is_no_ensemble() -> None:
    with pytest.raises(ValueError, match="at least one round"):
        greedy_selection(outcomes(one=believes(0, 1, 2, 3)), rounds=0)


def one_hot(predicted: list[int], actual: list[int]) -> Outcomes:
    ids = np.array([f"{number:02}" for number in range(len(actual))], dtype=object)
    return Outcomes(ids, np.array(actual), np.array(predicted), np.eye(7)[predicted])


def test_what_is_made_best_is_macro_f1_not_accuracy() -> None:
    actual = [0] * 8 + [1] * 2
    common, rare = [0] * 10, [0] * 5 + [1] * 5  # the first is right more often, the second knows both
    assert (np.array(common) == actual).mean() > (np.array(rare) == actual).mean()
    candidates = {"common": one_hot(common, actual), "rare": one_hot(rare, actual)}
    assert greedy_selection(candidates, rounds=1) == {"rare": 1}


def test_candidates_on_other_samples_are_refused_fold_by_fold() -> None:
    actual = [0, 1, 2, 3, 4]
    two = one_hot(actual, actual)
    two = Outcomes(np.array(list("abcde"), dtype=object), two.actual, two.predicted, two.probabilities)
    with pytest.raises(FerflowError, match="one and two: measured on different samples"):
        selection_by_fold({"one": one_hot(actual, actual), "two": two}, rounds=1)
    with pytest.raises(ValueError, match="one candidate"):
        greedy_selection({}, rounds=1)


def test_folds_are_even_in_every_class() -> None:
    actual = np.random.default_rng(0).choice(7, 203, p=[0.4, 0.02, 0.08, 0.2, 0.1, 0.1, 0.1])
    folds = fold_numbers(actual)
    assert np.ptp(np.bincount(folds)) <= 1
    for label in range(7):
        assert np.ptp(np.bincount(folds[actual == label], minlength=FOLDS)) <= 1


def test_a_fold_has_no_part_in_what_is_chosen_for_it() -> None:
    candidates = {name: join(table, LABELS)["val"] for name, table in tables(6).items()}
    chosen = selection_by_fold(candidates, rounds=4)
    actual = candidates["model_0"].actual
    folds = fold_numbers(actual)
    for fold in range(FOLDS):
        # Whatever the candidates say of the fold itself, the choice is the same.
        others = {}
        for name, each in candidates.items():
            probabilities = each.probabilities.copy()
            probabilities[folds == fold] = np.eye(7)[actual[folds == fold] if name == "model_5" else 0]
            others[name] = Outcomes(each.sample_id, actual, probabilities.argmax(axis=1), probabilities)
        changed = selection_by_fold(others, rounds=4)
        assert changed[fold] == chosen[fold]
        assert changed != chosen


def test_models_that_guess_gain_nothing_by_being_chosen() -> None:
    """The reason for folds: the best of many guesses looks better than it is on what chose it."""
    within, honest = [], []
    for seed in range(12):
        labels = labels_table(400, seed)
        candidates = {
            f"guess_{number}": join(predictions_table(labels, 100 * seed + number, skill=0), labels)["val"]
            for number in range(12)
        }
        actual = candidates["guess_0"].actual
        folds = fold_numbers(actual)

        def votes(weights: dict[str, int], of: dict[str, Outcomes] = candidates) -> np.ndarray:
            return np.asarray(sum(times * of[name].probabilities for name, times in weights.items()))

        chosen = votes(greedy_selection(candidates, rounds=6)).argmax(axis=1)
        within.append(float((chosen == actual).mean()))
        by_fold = [votes(weights).argmax(axis=1) for weights in selection_by_fold(candidates, rounds=6)]
        honest.append(float((np.choose(folds, by_fold) == actual).mean()))
    assert np.mean(within) > 1 / 7 + 0.04
    assert abs(np.mean(honest) - 1 / 7) < 0.03
