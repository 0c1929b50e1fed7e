from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferflow.errors import FerflowError
from ferflow.evaluation.ensembles import Members, choose_members, describe, info_of, read_members, vote
from ferflow.evaluation.outcomes import join
from ferflow.evaluation.selection import FOLDS, fold_numbers, greedy_selection, selection_by_fold
from ferflow.evaluation.voting import soft_vote
from ferflow.files import write_json
from ferflow.params import EnsembleParams, EvaluateParams

from .invented import MODEL, labels_table, predictions_table

LABELS = labels_table(400)
TABLES = {f"model_{seed}": predictions_table(LABELS, seed, skill=1) for seed in range(5)}
VAL = {name: join(table, LABELS)["val"] for name, table in TABLES.items()}
TRAINING: dict[str, Any] = {
    "fingerprint": "a",
    "model": "model_0",
    "architecture": "cnn4",
    "recipe": {"batch_size": 32},
    "seed": 1,
    "device": "cpu",
    "precision": "float32",
    "versions": {"keras": "3"},
    "data_sha256": "d",
    "code_sha256": "c",
    "dataset": "test",
    "budget": "quick",
}


def params(**content: Any) -> EnsembleParams:
    return EnsembleParams.model_validate(content)


def members(**weights: float) -> Members:
    return Members(weights=weights)


def test_named_members_weigh_alike_and_are_chosen_by_no_split() -> None:
    chosen = choose_members(params(members=["model_3", "model_1"]), VAL)
    assert chosen == Members(weights={"model_1": 1.0, "model_3": 1.0})
    assert vote(chosen, TABLES).equals(soft_vote({name: TABLES[name] for name in chosen.weights}))


def test_greedy_members_are_those_of_the_candidates_and_of_each_fold() -> None:
    chosen = choose_members(params(greedy={"rounds": 4}), VAL)
    assert chosen.weights == greedy_selection(VAL, 4)
    assert chosen.weights_by_fold == selection_by_fold(VAL, 4)
    assert any(weights != chosen.weights for weights in chosen.weights_by_fold), (
        "folds that agree test nothing"
    )
    few = choose_members(params(greedy={"rounds": 4, "candidates": ["model_2", "model_4"]}), VAL)
    assert set(few.names) <= {"model_2", "model_4"}


def test_validation_is_predicted_by_choices_made_without_it_and_test_by_the_whole_choice() -> None:
    chosen = Members(
        weights={"model_0": 1.0, "model_1": 2.0},
        weights_by_fold=[{"model_2": 1.0}, *([{"model_3": 1.0}] * (FOLDS - 1))],
    )
    assert chosen.names == ["model_0", "model_1", "model_2", "model_3"]
    outcomes = join(vote(chosen, TABLES), LABELS)
    whole = soft_vote({name: TABLES[name] for name in chosen.weights}, chosen.weights)
    np.testing.assert_array_equal(outcomes["test"].probabilities, join(whole, LABELS)["test"].probabilities)
    first = fold_numbers(VAL["model_0"].actual) == 0
    val = outcomes["val"].probabilities
    np.testing.assert_allclose(val[first], VAL["model_2"].probabilities[first], atol=1e-6)
    np.testing.assert_allclose(val[~first], VAL["model_3"].probabilities[~first], atol=1e-6)


def test_members_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "members.json"
    chosen = choose_members(params(greedy={"rounds": 3}), VAL)
    write_json(path, {"best": chosen.model_dump()})
    assert read_members(path, "best") == chosen
    with pytest.raises(FerflowError, match=r"members.json does not say who votes in other: delete it"):
        read_members(path, "other")
    broken: list[Any] = [[], {"best": {"weights": {}}}, {"best": {"weights": {"cnn4": 0}}}]
    for content in broken:
        write_json(path, content)
        with pytest.raises(FerflowError, match="does not say who votes in best"):
            read_members(path, "best")


def test_an_ensemble_is_described_by_its_members_and_by_what_they_share() -> None:
    trainings = {
        "one": TRAINING,
        "two": TRAINING | {"fingerprint": "b", "device": "gpu", "versions": {"keras": "4"}},
    }
    training = describe("both", members(two=1, one=3), trainings)
    assert training["recipe"] == {"members": {"one": 3.0, "two": 1.0}, "chosen_on_validation": False}
    assert training["member_fingerprints"] == {"one": "a", "two": "b"}
    assert (training["model"], training["architecture"]) == ("both", "ensemble")
    assert (training["device"], training["precision"], training["seed"]) == ("cpu and gpu", "float32", 1)
    assert "versions" not in training
    # The order of its members is not what it is. Its name is, as with models: each has a run of its own.
    again = describe("both", members(one=3, two=1), trainings)
    assert again["fingerprint"] == training["fingerprint"]
    chosen = Members(weights={"one": 3, "two": 1}, weights_by_fold=[{"one": 1}] * FOLDS)
    others = [
        describe("other", members(one=3, two=1), trainings),
        describe("both", chosen, trainings),
        describe("both", members(one=1, two=1), trainings),
        describe("both", members(one=3, two=1), trainings | {"two": TRAINING | {"fingerprint": "x"}}),
    ]
    assert len({each["fingerprint"] for each in (training, *others)}) == 5


def test_what_a_member_lacks_is_said(tmp_path: Path) -> None:
    trainings = {"one": TRAINING, "two": {"fingerprint": "b"}}
    with pytest.raises(FerflowError, match=r"training\.json of two is not complete: delete it"):
        describe("both", members(one=1, two=1), trainings)
    path = tmp_path / "members.json"
    # A fold too few would be scored by what it had a part in.
    write_json(path, {"best": {"weights": {"one": 1}, "weights_by_fold": [{"one": 1}] * (FOLDS - 1)}})
    with pytest.raises(FerflowError, match="does not say who votes in best"):
        read_members(path, "best")


def test_members_of_different_data_are_refused() -> None:
    trainings = {"one": TRAINING, "two": TRAINING | {"data_sha256": "e"}}
    with pytest.raises(FerflowError, match="members of both were trained on different data"):
        describe("both", members(one=1, two=1), trainings)


def test_an_ensemble_costs_what_its_members_do_together() -> None:
    views = EvaluateParams(horizontal_flip=True, shift=2)
    one = MODEL.model_copy(update={"flops": 10, "file_bytes": 5, "input_size": 32, "evaluate": views})
    two = MODEL.model_copy(update={"flops": 7, "file_bytes": 6})
    other = TRAINING | {"precision": "mixed_bfloat16"}
    training = describe("both", members(one=1, two=1), {"one": TRAINING, "two": other})
    info = info_of(training, {"one": one, "two": two, "three": MODEL})
    assert (info.flops, info.file_bytes, info.parameters, info.input_size) == (17, 11, 2 * 1_234_567, 48)
    assert (info.trainable_parameters, info.epochs) == (2 * 1_234_000, 12)
    assert (info.precision, info.evaluate, info.views) == ("float32 and mixed_bfloat16", views, 10)
    assert info.members == {"one": 1.0, "two": 1.0} and not info.cross_fitted
    unknown = info_of(training, {"one": one, "two": MODEL})
    assert (unknown.flops, unknown.file_bytes) == (None, None)


def test_predictions_of_other_samples_are_refused() -> None:
    tables = TABLES | {"model_1": TABLES["model_1"].iloc[1:]}
    with pytest.raises(FerflowError, match="model_0 and model_1 were measured on different samples"):
        vote(members(model_0=1, model_1=1), tables)
    assert isinstance(vote(members(model_0=1), tables), pd.DataFrame)
