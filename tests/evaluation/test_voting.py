from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import PROBABILITIES, join
from ferflow.evaluation.voting import soft_vote, soft_vote_on_damaged
from ferflow.labels import EMOTIONS

from .invented import labels_table, predictions_table

LABELS = labels_table(300)


def tables(count: int = 3, skill: float = 1.0) -> dict[str, pd.DataFrame]:
    return {f"model_{seed}": predictions_table(LABELS, seed, skill) for seed in range(count)}


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


def answers(seed: int) -> pd.DataFrame:
    """Answers to two damaged images in two ways, and to the clean ones."""
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(7), 6).astype(np.float32)
    asked = {
        "corruption": np.repeat(["none", "noise", "blur"], 2),
        "severity": np.repeat([0, 3, 3], 2),
        "sample_id": ["a", "b"] * 3,
    }
    return pd.DataFrame(asked | {name: probabilities[:, at] for at, name in enumerate(PROBABILITIES)})


def test_the_vote_on_damaged_images_is_the_mean_of_each_answer() -> None:
    one, two = answers(1), answers(2)
    voted = soft_vote_on_damaged({"one": one, "two": two}, {"one": 3, "two": 1})
    assert voted.columns.tolist() == one.columns.tolist()
    pd.testing.assert_frame_equal(voted.iloc[:, :3], one.iloc[:, :3])
    expected = (3 * one[list(PROBABILITIES)] + two[list(PROBABILITIES)]) / 4
    np.testing.assert_allclose(voted[list(PROBABILITIES)], expected, atol=1e-6)
    assert voted.dtypes.to_dict() == one.dtypes.to_dict()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"corruption": ["none", "none", "jpeg", "jpeg", "blur", "blur"]}, "corruptions"),
        ({"severity": [0, 0, 2, 2, 3, 3]}, "severities"),
        ({"sample_id": ["a", "b", "a", "b", "b", "a"]}, "samples"),
    ],
)
def test_answers_to_other_images_are_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(FerflowError, match=f"one and two were measured on different {what}"):
        soft_vote_on_damaged({"one": answers(1), "two": answers(2).assign(**changes)})
