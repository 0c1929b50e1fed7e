from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferflow.errors import FerflowError
from ferflow.evaluation.model_info import ModelInfo
from ferflow.evaluation.promotion import Verdict
from ferflow.evaluation.significance import Difference
from ferflow.files import write_json, write_parquet
from ferflow.labels import EMOTIONS
from ferflow.params import EvaluateParams, PromotionParams
from ferflow.params.promotion import RuleParams
from ferflow.tracking import judging
from ferflow.tracking.aliases import CHAMPION
from ferflow.tracking.answers import comparable_answers
from ferflow.tracking.candidate import ValidationSplit, candidate_of
from ferflow.tracking.data_used import DataUsed
from ferflow.tracking.projection import TrainedModel, project, view_tags
from ferflow.tracking.registry import register
from ferflow.tracking.store import Store
from ferflow.tracking.versions import version_with

NAME = "ferflow-test"
RULES = PromotionParams(rules=[RuleParams(minimum_improvement=0.0)], challenger=True)


@pytest.fixture(autouse=True)
def the_best_always_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which model wins is for other tests: here it is what MLflow then holds."""
    verdict = Verdict("always", 1.0, 0.0, Difference(1.0, 1.0, 1.0))
    monkeypatch.setattr(judging, "decide", lambda *_: verdict)


@pytest.fixture
def models(tmp_path: Path, training: dict[str, Any], history: pd.DataFrame) -> list[TrainedModel]:
    """Two trained models on disk, as the stages leave them."""
    import keras

    from ferflow.models.saving import save_model

    found = []
    for index, name in enumerate(("first", "second")):
        keras.utils.set_random_seed(index)
        inputs = keras.Input((8, 8, 1), dtype="uint8")
        flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(flat))
        trained = TrainedModel(name, tmp_path / "models" / f"{name}.keras", tmp_path / "reports" / name)
        save_model(model, trained.file)
        trained.report.mkdir(parents=True)
        _evaluate(trained, 0.5 + index / 10, flip=False)
        content = training | {"model": name, "fingerprint": str(index) * 64}
        (trained.report / "training.json").write_text(json.dumps(content))
        history.to_csv(trained.report / "history.csv", index=False)
        found.append(trained)
    return found


def _evaluate(model: TrainedModel, accuracy: float, *, flip: bool) -> None:
    """Write what an evaluation leaves in a model's report."""
    scores = {"accuracy": accuracy, "macro_f1": accuracy - 0.1, "samples": 2}
    scores |= {"macro_f1_low": accuracy - 0.2, "macro_f1_high": accuracy}
    info = ModelInfo(
        model=model.name,
        architecture="cnn4",
        parameters=455,
        trainable_parameters=455,
        epochs=2,
        precision="float32",
        fingerprint="f" * 64,
        input_size=8,
        evaluate=EvaluateParams(horizontal_flip=flip, shift=0),
    )
    write_json(model.report / "metrics.json", {"val": scores, "test": scores})
    write_json(model.report / "model.json", info.model_dump())
    answers = {"sample_id": [f"{i:016x}" for i in (2, 3)], "split": "val", "label": ["happy", "sad"]}
    write_parquet(model.report / "predictions.parquet", pd.DataFrame(answers).assign(predicted="happy"))


def _project(store: Store, models: list[TrainedModel], best: str, data: DataUsed) -> str:
    """What the register stage does; return the number of the champion's version."""
    samples = data.labelled[data.labelled["split"] == "val"].assign(sha256=["a" * 64, "b" * 64])
    validation = ValidationSplit(samples, (8, 8, 1))
    run, model = next(
        (run, model)
        for run, model in zip(project(store, models, data), models, strict=True)
        if model.name == best
    )
    candidate = candidate_of(model, validation, EMOTIONS, view_tags(model))
    result = register(store, NAME, run, candidate, RULES)
    assert result.version is not None and result.decision.promoted
    return str(result.version.version)


def _state(store: Store) -> tuple[list[str], list[str], str | None]:
    runs = store.client.search_runs([store.experiment_id])
    versions = store.client.search_model_versions(f"name='{NAME}'")
    champion = version_with(store.client, NAME, CHAMPION)
    return (
        sorted(run.data.tags["model"] for run in runs),
        sorted(version.tags["model"] for version in versions),
        champion.tags["model"] if champion else None,
    )


# MLflow says this of its own code while it is imported.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")
def test_projection_converges_whatever_was_there(
    store: Store, models: list[TrainedModel], data: DataUsed
) -> None:
    assert version_with(store.client, NAME, CHAMPION) is None
    assert _project(store, models, "second", data) == "1"
    once = (["first", "second"], ["second"], "second")
    assert _state(store) == once
    # Again: nothing is added.
    assert _project(store, models, "second", data) == "1"
    assert _state(store) == once
    # The run is lost, the version stays.
    for run in store.client.search_runs([store.experiment_id]):
        store.client.delete_run(run.info.run_id)
    assert _project(store, models, "second", data) == "1"
    assert _state(store) == once
    # Another model wins, then the first one again: one version for each, the alias follows.
    assert _project(store, models, "first", data) == "2"
    assert _state(store) == (["first", "second"], ["first", "second"], "first")
    assert _project(store, models, "second", data) == "1"
    assert _state(store) == (["first", "second"], ["first", "second"], "second")

    import mlflow

    champion = version_with(store.client, NAME, CHAMPION)
    assert champion is not None and champion.tags["val_macro_f1_interval"] == "0.4000 to 0.6000"
    assert "0.5000 (95 % interval 0.4000 to 0.6000)" in champion.description
    # The model's own page shows what its run measured, which stays as it was.
    logged = store.client.get_logged_model(champion.source.removeprefix("models:/"))
    shown = {metric.key: metric.value for metric in logged.metrics}
    assert (shown["val/macro_f1"], shown["test/macro_f1_low"]) == (0.5, pytest.approx(0.4))
    run = store.client.get_run(logged.source_run_id)
    assert run.info.status == "FINISHED"
    assert len(store.client.get_metric_history(run.info.run_id, "val/macro_f1")) == 1
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    images = np.zeros((3, 8, 8, 1), np.uint8)
    probabilities = model.predict(images)
    assert tuple(probabilities.columns) == EMOTIONS
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    with pytest.raises(mlflow.exceptions.MlflowException):
        model.predict(np.zeros((3, 9, 9, 1), np.uint8))

    # What it was chosen by stays with it.
    table = pd.DataFrame({"sample_id": ["0" * 15 + "2"], "sha256": "a" * 64, "label": "sad"})
    kept = comparable_answers(champion, table, (8, 8, 1))
    assert kept.to_dict("records") == [table.iloc[0].to_dict() | {"predicted": "happy"}]


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")
def test_other_views_are_another_version_of_the_same_run(
    store: Store, models: list[TrainedModel], data: DataUsed
) -> None:
    import mlflow

    from ferflow.models.saving import load_model, save_model
    from ferflow.models.views import averaged_over_views

    first, second = models
    mirrored = replace(second, file=second.file.with_name("mirrored.keras"))
    averaged = averaged_over_views(load_model(second.file), horizontal_flip=True, shift=0)
    save_model(averaged, mirrored.file)
    # There and back: the version of each choice of views is found again, and the run follows.
    for model, accuracy, flip, version in (
        (second, 0.6, False, "1"),
        (mirrored, 0.7, True, "2"),
        (mirrored, 0.7, True, "2"),
        (second, 0.6, False, "1"),
    ):
        _evaluate(model, accuracy, flip=flip)
        assert _project(store, [first, model], "second", data) == version
        champion = version_with(store.client, NAME, CHAMPION)
        assert champion is not None
        run = store.client.get_run(champion.run_id)
        assert run.data.metrics["val/accuracy"] == accuracy
        assert run.data.tags["evaluate.horizontal_flip"] == json.dumps(flip)
        assert f"evaluate.horizontal_flip={json.dumps(flip)}" in run.data.tags["mlflow.note.content"]
        assert champion.tags["evaluate.horizontal_flip"] == json.dumps(flip)
        assert ("the mean over 2 views" in champion.description) is flip
    assert _state(store) == (["first", "second"], ["second", "second"], "second")
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    served = mlflow.pyfunc.load_model(f"models:/{NAME}/2").predict(images)
    np.testing.assert_allclose(served, averaged.predict_on_batch(images), atol=1e-6)


def test_an_ensemble_has_a_run_without_epochs_and_what_a_model_costs_is_a_metric(
    store: Store, models: list[TrainedModel], training: dict[str, Any], data: DataUsed, tmp_path: Path
) -> None:
    folder = tmp_path / "reports" / "both"
    folder.mkdir()
    cost = {"milliseconds_per_image": {"1": 2.5}, "training": {"seconds": None}}
    both = replace(models[1], name="both", report=folder, cost=cost)
    _evaluate(both, 0.9, flip=False)
    members = {"first": 3.0, "second": 1.0}
    write_json(folder / "model.json", both.info().model_dump() | {"members": members})
    made_of = {"members": members, "chosen_on_validation": True}
    write_json(folder / "training.json", training | {"model": "both", "fingerprint": "b", "recipe": made_of})
    timed = replace(models[0], cost={"training": {"seconds": 61.5}})
    for _ in range(2):
        assert _project(store, [timed, models[1], both], "both", data) == "1"
    assert _state(store) == (["both", "first", "second"], ["both"], "both")
    runs = {run.data.tags["model"]: run.data for run in store.client.search_runs([store.experiment_id])}
    assert runs["both"].params["members.first"] == "3.0"
    assert runs["both"].tags["dvc_stage"] == "ensemble@both"
    assert "dvc repro evaluate_ensemble@both" in runs["both"].tags["mlflow.note.content"]
    assert "rebuilt" not in runs["both"].tags and runs["first"].tags["rebuilt"] == "true"
    assert not [name for name in runs["both"].metrics if name.startswith("epoch/")]
    costs = {name: value for name, value in runs["both"].metrics.items() if name.startswith("cost/")}
    assert costs == {"cost/parameters": 455, "cost/milliseconds_per_image_at_batch_1": 2.5}
    assert runs["first"].metrics["cost/training_seconds"] == 61.5


def test_what_a_greedy_ensemble_is_scored_by_is_said_where_it_is_registered(
    store: Store, models: list[TrainedModel], data: DataUsed
) -> None:
    first = models[0]
    assert _project(store, models, "second", data) == "1"
    champion = version_with(store.client, NAME, CHAMPION)
    assert champion and champion.tags["val_scored_by"] == "the model itself"
    assert "cross-fitting" not in champion.description
    info = first.info().model_dump()
    write_json(first.report / "model.json", info | {"members": {"second": 1.0}, "cross_fitted": True})
    content = json.loads((first.report / "training.json").read_text())
    made_of = {"recipe": {"members": {"second": 1.0}}, "member_fingerprints": {"second": "1" * 64}}
    write_json(first.report / "training.json", content | made_of)
    assert _project(store, models, "first", data) == "2"
    champion = version_with(store.client, NAME, CHAMPION)
    assert champion and champion.tags["val_scored_by"] == "cross-fitting"
    assert "0.4000, by cross-fitting" in champion.description
    run = store.client.get_run(champion.run_id)
    # From the ensemble to the run of its member.
    assert run.data.tags["member.second"] == "1" * 64
    assert store.client.search_runs([store.experiment_id], f"tags.fingerprint = '{'1' * 64}'")


def test_a_run_holds_the_report_the_best_ones_card_and_how_to_make_it_again(
    store: Store, models: list[TrainedModel], data: DataUsed, tmp_path: Path
) -> None:
    card = tmp_path / "model_card.md"
    card.write_text("the card")
    (models[0].report / "damaged.parquet").write_bytes(b"only stages read it")
    project(store, [replace(models[0], card=card), models[1]], data)
    found = {run.data.tags["model"]: run for run in store.client.search_runs([store.experiment_id])}
    listed = {
        name: {
            file.path
            for folder in ("", "report")
            for file in store.client.list_artifacts(run.info.run_id, folder)
        }
        for name, run in found.items()
    }
    assert {"model_card.md", "report/metrics.json"} <= listed["first"]
    assert "report/damaged.parquet" not in listed["first"]
    assert "model_card.md" not in listed["second"]
    note = found["first"].data.tags["mlflow.note.content"]
    assert "| macro-F1 | 0.400" in note
    assert f"git checkout {found['first'].data.tags['git_commit']}" in note
    assert "dvc repro evaluate@first" in note


def test_missing_report_is_one_line(store: Store, models: list[TrainedModel], data: DataUsed) -> None:
    (models[0].report / "metrics.json").unlink()
    with pytest.raises(FerflowError, match=r"metrics\.json is missing: run `dvc repro`"):
        _project(store, models, "second", data)
