"""The whole pipeline, from an archive to a registered champion, on a tiny data set.

What it leaves in MLflow whatever happens meanwhile takes minutes to show: `test_convergence.py`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from ferflow.labels import EMOTIONS
from tiny_project import DATASET, ENSEMBLE, Project, make_project

PREDICT = """
import sys, mlflow, numpy as np
mlflow.set_tracking_uri("sqlite:///mlflow.db")
model = mlflow.pyfunc.load_model(f"models:/ferflow-tiny/{sys.argv[1]}")
images = np.load("data/tiny/images.npy")
model.predict(images).to_parquet("predicted.parquet")

# Whoever is the champion: the ensemble as it would be registered.
import keras, pandas as pd
from pathlib import Path
from ferflow.evaluation.model_info import read_model_info
from ferflow.models.evaluated import load_evaluated
info = read_model_info(Path("reports/tiny/quick/ensembles/greedy_vote/model.json"))
views = info.evaluate.model_dump()
ensemble = load_evaluated(Path("models/tiny/quick"), info.model, info.members, **views)
pd.DataFrame(ensemble.predict_on_batch(images)).to_parquet("voted.parquet")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("project"))
    (project.folder / "src" / "tests_predict.py").write_text(PREDICT)
    return project


@pytest.fixture(scope="module")
def finished(project: Project) -> Iterator[Project]:
    # Both models at a time, as `make repro` does; that later tests train one again and compare shows that it
    # makes no difference.
    project.run("dvc", "repro", "validate")
    output = project.run("ferflow.parallel", "--jobs", "2")
    assert "parallel: 2 models, 2 at a time" in output
    assert "first  | evaluate: first: " in output
    assert "second | evaluate: second: " in output
    # Answers are timed where nothing else runs.
    assert not [*(project.folder / ".ferflow" / "times").rglob("answers.json")]
    output = project.run("dvc", "repro")
    assert "Running stage 'train" not in output
    assert "version 1 @champion: there was no champion" in output
    assert project.run("ferflow.parallel", "--jobs", "2") == ""
    yield project


def test_first_run_writes_everything_and_registers_the_best(finished: Project) -> None:
    leaderboard = pd.read_csv(finished.reports / "leaderboard.csv")
    assert sorted(leaderboard["model"]) == ["first", ENSEMBLE, "second"]
    store = finished.store()
    assert [run[:2] for run in store["runs"]] == [
        [name, "FINISHED"] for name in ("first", ENSEMBLE, "second")
    ]
    for name, _, _, params, metrics, inputs, artifacts in store["runs"]:
        assert params > (5 if name == ENSEMBLE else 10)
        assert {"val/macro_f1", "test/accuracy", "cost/milliseconds_per_image_at_batch_64"} <= set(metrics)
        assert ("epoch/val_loss" in metrics) is (name != ENSEMBLE)
        assert inputs == 3
        assert {"report/confusion.png", "report/robustness.png", "report/faces"} <= set(artifacts)
    assert len(store["versions"]) == 1
    assert store["champion"] == ["1", leaderboard["model"][0], True]


def test_second_run_trains_nothing_and_adds_no_version(finished: Project) -> None:
    lock, store = finished.lock(), finished.files_of_store()
    output = finished.run("dvc", "repro")
    assert "Data and pipelines are up to date." in output
    assert "Running stage" not in output
    assert finished.lock() == lock
    assert finished.files_of_store() == store


def test_changing_one_model_concerns_that_model_alone(finished: Project) -> None:
    finished.set_params(models__first__recipe__options__dropout=0.4)
    changed = json.loads(finished.run("dvc", "status", "--json").splitlines()[-1])
    finished.set_params(models__first__recipe__options__dropout=0.5)
    assert "train@first" in changed
    assert not any(name.startswith(("download", "ingest", "validate", "split")) for name in changed)
    assert "train@second" not in changed


def test_another_limit_of_the_gate_judges_again_and_trains_nothing(finished: Project) -> None:
    trained = finished.locked("train@")
    finished.set_params(validate__max_class_ratio__limit=11)
    output = finished.run("dvc", "repro")
    assert "Running stage 'validate'" in output
    assert "Running stage 'train" not in output
    assert finished.locked("train@") == trained


def test_a_leak_that_is_kept_stops_before_training(finished: Project) -> None:
    tables = finished.folder / "data" / DATASET
    kept = _contents(finished)
    raw = sorted((tables / "raw").rglob("*.jpg"))
    train, test = (
        next(file for file in raw if file.name.startswith(usage)) for usage in ("Training", "Private")
    )
    with zipfile.ZipFile(finished.folder / "data" / "leaked.zip", "w") as archive:
        for file in raw:
            content = (test if file == train else file).read_bytes()
            archive.writestr(file.relative_to(tables / "raw").as_posix(), content)
    params = (finished.folder / "params.yaml").read_text(encoding="utf-8")
    try:
        finished.run("ferflow.choose", "leaked", "--source", "data/leaked.zip")
        finished.set_params(split__duplicates="keep")
        output = finished.run("dvc", "repro", ok=False)
    finally:
        (finished.folder / "params.yaml").write_text(params, encoding="utf-8")
    assert test.relative_to(tables / "raw").as_posix() in output
    assert "Running stage 'train" not in output
    assert {name: data for name, data in _contents(finished).items() if "leaked" not in name} == kept


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models__first__recipe__options__droput": 0.1}, "has no option 'droput'"),
        # What else check and download find is theirs to test: here it is what DVC makes of it.
        ({"datasets__tiny__source": "data/nowhere.zip"}, "data/nowhere.zip does not exist"),
    ],
)
def test_mistake_costs_one_line_and_no_output(
    finished: Project, change: dict[str, Any], message: str
) -> None:
    params = (finished.folder / "params.yaml").read_text(encoding="utf-8")
    kept = _contents(finished)
    finished.set_params(**change)
    try:
        output = finished.run("dvc", "repro", ok=False)
    finally:
        (finished.folder / "params.yaml").write_text(params, encoding="utf-8")
    assert message in output
    assert len([line for line in output.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in output
    assert _contents(finished) == kept


def test_other_views_evaluate_again_and_register_what_was_evaluated(finished: Project) -> None:
    before = json.loads((finished.reports / "champion.json").read_text())["val_macro_f1"]
    finished.set_params(evaluate__shift=1)
    output = finished.run("dvc", "repro")
    assert "Running stage 'evaluate@first'" in output
    assert "Running stage 'train" not in output
    winner = json.loads((finished.reports / "champion.json").read_text())
    best = winner["model"]
    assert best == pd.read_csv(finished.reports / "leaderboard.csv")["model"][0]
    store = finished.store()
    assert len(store["runs"]) == 3
    # Other views are another version, and the champion if they are better: any gain is enough.
    number, model, shift, result = store["versions"][-1]
    assert (len(store["versions"]), model, shift) == (2, best, "1")
    assert result == ("promoted" if winner["val_macro_f1"] > before else "not promoted")
    alias = "champion" if result == "promoted" else "challenger"
    assert {name: str(of) for name, of in store["aliases"].items()} == {
        "champion": {"champion": "2", "previous": "1"},
        "challenger": {"champion": "1", "challenger": "2"},
    }[alias]
    assert f"version {number} @{alias}" in output
    closing = finished.run("ferflow.summary", "reports")
    assert "Running stage 'register'" not in closing
    assert ("(this run's best is" in closing) is (alias == "challenger")
    finished.run("tests_predict", f"{number}")
    folder = finished.folder
    samples = pd.read_parquet(folder / "data" / DATASET / "samples.parquet")
    predicted = pd.read_parquet(folder / "predicted.parquet")
    assert tuple(predicted.columns) == EMOTIONS
    kind = "ensembles" if best == ENSEMBLE else "models"
    voted = pd.read_parquet(folder / "voted.parquet").set_axis(list(EMOTIONS), axis=1)
    for answers, report in (
        (predicted, finished.reports / kind / best),
        (voted, finished.reports / "ensembles" / ENSEMBLE),
    ):
        assert len(answers) == len(samples)
        np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-5)
        assert json.loads((report / "model.json").read_text())["views"] == 5
        # The same answers as in the report, joined by id.
        reported = pd.read_parquet(report / "predictions.parquet")
        if report.name == ENSEMBLE:
            # On validation a report is of what was chosen without each sample.
            reported = reported[reported["split"] == "test"]
        answers["sample_id"] = samples["sample_id"]
        both = reported.merge(answers, on="sample_id", validate="one_to_one")
        assert len(both) == len(reported) > 0
        for emotion in EMOTIONS:
            np.testing.assert_allclose(both[f"p_{emotion}"], both[emotion], atol=1e-5)


def test_a_model_that_is_removed_leaves_everything_that_compares(finished: Project) -> None:
    page = finished.reports / "index.html"
    kept, removed = (
        name for name in pd.read_csv(finished.reports / "leaderboard.csv")["model"] if name != ENSEMBLE
    )
    shown = {name for name in (kept, removed, ENSEMBLE) if f'id="model-{name}"' in page.read_text()}
    assert shown == {kept, removed, ENSEMBLE}
    params = (finished.folder / "params.yaml").read_text(encoding="utf-8")
    models = YAML(typ="safe").load(params)["models"]
    finished.set_params(models={kept: models[kept]}, ensembles={})
    output = finished.run("dvc", "repro")
    assert not [name for name in ("train", "predict", "evaluate") if f"Running stage '{name}" in output]
    assert list(pd.read_csv(finished.reports / "leaderboard.csv")["model"]) == [kept]
    assert pd.read_csv(finished.reports / "comparisons.csv").empty
    assert list(json.loads((finished.reports / "costs.json").read_text())) == [kept]
    assert set(pd.read_csv(finished.reports / "training_curves.csv")["model"]) == {kept}
    assert f'id="model-{removed}"' not in page.read_text()


def _contents(project: Project) -> dict[str, bytes]:
    return {
        str(file): file.read_bytes()
        for folder in ("data", "models", "reports")
        for file in sorted((project.folder / folder).rglob("*"))
        if file.is_file() and file.name not in {"params-checked", "names.json"}
    }
