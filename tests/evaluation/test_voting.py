from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import PROBABILITIES, Outcomes, join
from ferflow.evaluation.voting import greedy_selection, soft_vote
from ferflow.labels import EMOTIONS

from .invented import labels_table, predictions_table

LABELS = labels_table(300)


def tables(count: int = 3, skill: float = 1.0) -> dict[str, pd.DataFrame]:
    return {f"model_{seed}": predictions_table(LABELS, seed, skill) for seed in range(count)}


def outcomes(**probabilities: np.ndarray) -> dict[str, Outcomes]:
    """Outcomes of four samples whose truth is angry, disgust, fear, happy, from rows of probabilities."""
    ids = np.array(list("abcd"), dtype=object)
    return {
        name: Outcomes(ids, np.arange(4), rows.argmax(axis=1), rows) for name, rows in probabilities.items()
    }


def believes(*classes: int, confidence: float = 1.0) -> np.ndarray:
    rest = (1 - confidence) / 6
    return np.where(np.arange(7) == np.array(classes)[:, None], confidence, rest)


@pytest.mark.parametrize("weights", [None, {"model_0": 2, "model_1": 1, "model_2": 0.5}])
def test_the_vote_is_the_weighted_mean_of_each_samples_probabilities(
    weights: dict[str, float] | None,
) -> None:
    members = tables()
    shares = np.array([1, 1, 1] if weights is None else list(weights.values())) / sum(
        [1, 1, 1] if weights is None else weights.values()
    )
    voted = soft_vote(members, weights).set_index("sample_id")
    of_members = [table.set_index("sample_id").loc[voted.index] for table in members.values()]
    expected = sum(
        share * table[list(PROBABILITIES)].to_numpy() for share, table in zip(shares, of_members, strict=True)
    )
    np.testing.assert_allclose(voted[list(PROBABILITIES)], expected, atol=1e-6)
    assert voted["predicted"].tolist() == [EMOTIONS[place] for place in np.argmax(expected, axis=1)]


def test_the_vote_is_a_predictions_table_like_any_other() -> None:
    voted = soft_vote(tables())
    assert list(voted.columns) == list(tables()["model_0"].columns)
    assert voted.dtypes.to_dict() == predictions_table(LABELS).dtypes.to_dict()
    assert {split: len(each.actual) for split, each in join(voted, LABELS).items()} == (
        LABELS["split"].value_counts()[["val", "test"]].to_dict()
    )


def test_neither_the_order_of_rows_nor_of_members_matters() -> None:
    members = tables(4)
    shuffled = {name: table.sample(frac=1, random_state=7) for name, table in reversed(members.items())}
    pd.testing.assert_frame_equal(soft_vote(members), soft_vote(shuffled))


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lambda table: table.iloc[1:], "samples"),
        (lambda table: table.assign(sample_id=table["sample_id"].str.replace("0", "a")), "samples"),
        (lambda table: table.assign(split=table["split"].iloc[::-1].to_numpy()), "splits"),
        (lambda table: table.assign(label="happy"), "labels"),
    ],
)
def test_predictions_of_other_samples_are_refused(broken: object, what: str) -> None:
    members = tables(2)
    members["model_1"] = broken(members["model_1"])  # type: ignore[operator]
    with pytest.raises(FerflowError, match=f"model_0 and model_1 were measured on different {what}"):
        soft_vote(members)


@pytest.mark.parametrize("weights", [{}, {"model_0": 1}, {"model_0": 1, "model_1": -1}])
def test_weights_are_one_above_zero_for_each_member(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="one weight above 0 for each of"):
        soft_vote(tables(2), weights)


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
