from __future__ import annotations

import zipfile
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ferflow import models
from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import PROBABILITIES
from ferflow.evaluation.predictions import predictions_table
from ferflow.evaluation.voting import soft_vote
from ferflow.models.ensemble import ensemble
from ferflow.models.evaluated import load_evaluated
from ferflow.models.saving import load_model, save_model
from ferflow.models.views import averaged_over_views

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(2).integers(0, 256, (5, *SHAPE), dtype=np.uint8)


def network(seed: int) -> keras.Model:
    """A real architecture; two of them are called alike, and so are all their layers."""
    keras.utils.set_random_seed(seed)
    options = {"widths": [4], "blocks": [1], "stem": 4}
    return models.build("residual", SHAPE, 7, input_size=16, options=options)


def predict(model: keras.Model) -> npt.NDArray[np.float32]:
    return np.asarray(model.predict_on_batch(IMAGES))


@pytest.fixture(scope="module")
def members() -> dict[str, keras.Model]:
    return {"one": network(1), "two": network(2)}


@pytest.fixture(scope="module")
def answers(members: dict[str, keras.Model]) -> dict[str, npt.NDArray[np.float32]]:
    answers = {name: predict(model) for name, model in members.items()}
    assert np.abs(answers["one"] - answers["two"]).max() > 0.01, "members that agree test nothing"
    return answers


@pytest.mark.parametrize("weights", [None, {"one": 3, "two": 1}])
def test_what_is_served_is_the_vote_that_was_evaluated(
    tmp_path: Path,
    members: dict[str, keras.Model],
    answers: dict[str, npt.NDArray[np.float32]],
    weights: dict[str, float] | None,
) -> None:
    samples = pd.DataFrame({"sample_id": list("abcde"), "split": "test", "label": "happy"})
    tables = {name: predictions_table(samples, answer) for name, answer in answers.items()}
    voted = soft_vote(tables, weights)[list(PROBABILITIES)].to_numpy()

    model = ensemble(members, weights, name="both")
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predict(model), voted, atol=1e-6)
    # Not vacuous: weights that came back in the place of another member's would show.
    np.testing.assert_array_equal(predict(loaded), predict(model))
    assert loaded.name == "both"


def test_it_takes_and_gives_what_its_members_do(members: dict[str, keras.Model]) -> None:
    model = ensemble(members)
    assert (model.input.dtype, model.input.shape) == ("uint8", (None, *SHAPE))
    assert (model.output.dtype, model.output.shape) == ("float32", (None, 7))
    assert model.count_params() == sum(member.count_params() for member in members.values())


def test_the_file_is_stock_keras_and_a_function_of_members_and_weights(
    tmp_path: Path, members: dict[str, keras.Model]
) -> None:
    backwards = dict(reversed(members.items()))
    for name, each in {"first": members, "again": members, "backwards": backwards}.items():
        save_model(ensemble(each), tmp_path / f"{name}.keras")
    save_model(ensemble(members, {"one": 2, "two": 1}), tmp_path / "other.keras")
    written = {path.stem: path.read_bytes() for path in tmp_path.iterdir()}
    assert written["first"] == written["again"] == written["backwards"] != written["other"]
    with zipfile.ZipFile(tmp_path / "first.keras") as archive:
        assert b"ferflow" not in archive.read("config.json")


def test_members_are_left_as_they_were(tmp_path: Path) -> None:
    model = network(3)
    save_model(model, tmp_path / "before.keras")
    ensemble({"one": model, "two": network(4)})
    save_model(model, tmp_path / "after.keras")
    assert (tmp_path / "before.keras").read_bytes() == (tmp_path / "after.keras").read_bytes()


def test_members_may_be_files_and_averaged_over_views(tmp_path: Path) -> None:
    model = network(5)
    save_model(model, tmp_path / "member.keras")
    opened = load_model(tmp_path / "member.keras")
    seen = averaged_over_views(opened, horizontal_flip=True, shift=0)
    both = ensemble({"plain": model, "seen": seen})
    np.testing.assert_allclose(predict(both), (predict(model) + predict(seen)) / 2, atol=1e-6)
    # The other way round: one choice of views for the whole ensemble.
    around = averaged_over_views(ensemble({"a": model, "b": opened}), horizontal_flip=True, shift=0)
    save_model(around, tmp_path / "around.keras")
    np.testing.assert_allclose(predict(load_model(tmp_path / "around.keras")), predict(seen), atol=1e-6)


def test_of_one_member_it_is_that_member(
    members: dict[str, keras.Model], answers: dict[str, npt.NDArray[np.float32]]
) -> None:
    # Greedy selection may choose the same model in every round.
    np.testing.assert_allclose(
        predict(ensemble({"one": members["one"]}, {"one": 5})), answers["one"], atol=1e-7
    )


def test_what_was_evaluated_is_loaded_from_its_members(
    tmp_path: Path, members: dict[str, keras.Model], answers: dict[str, npt.NDArray[np.float32]]
) -> None:
    for name, model in members.items():
        save_model(model, tmp_path / name / "model.keras")
    alone = load_evaluated(tmp_path, "two", None, horizontal_flip=False, shift=0)
    np.testing.assert_array_equal(predict(alone), answers["two"])
    weights = {"one": 1.0, "two": 3.0}
    voted = (answers["one"] + 3 * answers["two"]) / 4
    together = load_evaluated(tmp_path, "both", weights, horizontal_flip=False, shift=0)
    np.testing.assert_allclose(predict(together), voted, atol=1e-6)
    # The mean over views of the vote is the vote of the means over views.
    of_members = [
        predict(averaged_over_views(members[name], horizontal_flip=True, shift=1)) for name in ("one", "two")
    ]
    seen = load_evaluated(tmp_path, "both", weights, horizontal_flip=True, shift=1)
    np.testing.assert_allclose(predict(seen), (of_members[0] + 3 * of_members[1]) / 4, atol=1e-6)
    with pytest.raises(FerflowError, match=r"three/model.keras is missing"):
        load_evaluated(tmp_path, "both", {"one": 1.0, "three": 1.0}, horizontal_flip=False, shift=0)


def test_members_that_take_other_images_are_refused(members: dict[str, keras.Model]) -> None:
    keras.utils.set_random_seed(0)
    options = {"widths": [4], "blocks": [1], "stem": 4}
    wider = models.build("residual", (8, 9, 1), 7, input_size=16, options=options)
    with pytest.raises(FerflowError, match=r"one: uint8 \(8, 8, 1\) to 7 classes, wide: uint8 \(8, 9, 1\)"):
        ensemble({"one": members["one"], "wide": wider})


@pytest.mark.parametrize("weights", [{"one": 1}, {"one": 1, "two": 0}, {"one": 1, "two": 1, "three": 1}])
def test_weights_are_one_above_zero_for_each_member(
    members: dict[str, keras.Model], weights: dict[str, float]
) -> None:
    with pytest.raises(ValueError, match="one weight above 0 for each of"):
        ensemble(members, weights)
