from __future__ import annotations

import json
from pathlib import Path

from ferflow.files import read_json
from ferflow.tracking.runs import EPOCH_METRICS
from ferflow.tracking.saved_view import VIEW, save_view, view_address
from ferflow.tracking.store import Store

_REPORT = Path(__file__).parents[2] / "reports" / "sample" / "quick" / "models" / "cnn4"


def test_the_view_is_saved_once_and_shows_what_is_logged(store: Store) -> None:
    save_view(store, "sample")
    tags = store.client.get_experiment(store.experiment_id).tags
    save_view(store, "sample")
    assert store.client.get_experiment(store.experiment_id).tags == tags
    saved = json.loads(tags[f"mlflow.sharedViewState.{VIEW}"])
    assert saved["name"] in tags["mlflow.note.content"]
    state = json.loads(saved["state"])
    scores = {
        f"{split}/{name}" for split, values in read_json(_REPORT / "metrics.json").items() for name in values
    }
    costs = {
        f"cost/{name}" for name in ("milliseconds_per_image_at_batch_1", "parameters", "training_seconds")
    }
    logged = scores | costs | set(EPOCH_METRICS.values())
    columns = {column[9:-1] for column in state["selectedColumns"] if column.startswith("metrics.")}
    charts = {chart["metricKey"] for chart in state["compareRunCharts"] if "metricKey" in chart}
    assert len(columns) > 5 and columns <= logged
    assert len(charts) > 5 and charts <= logged
    assert state["orderByKey"] == "metrics.`val/macro_f1`"
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections


def test_what_people_have_written_stays(store: Store) -> None:
    save_view(store, "sample")
    name = f"mlflow.sharedViewState.{VIEW}"
    saved = json.loads(store.client.get_experiment(store.experiment_id).tags[name])
    theirs = {"mlflow.note.content": "Our notes.", name: json.dumps(saved | {"updatedAt": 1})}
    for key, value in theirs.items():
        store.client.set_experiment_tag(store.experiment_id, key, value)
    save_view(store, "sample")
    assert theirs.items() <= store.client.get_experiment(store.experiment_id).tags.items()
    # An earlier version of ours is brought up to date.
    store.client.set_experiment_tag(store.experiment_id, name, json.dumps(saved | {"name": "old"}))
    save_view(store, "sample")
    assert json.loads(store.client.get_experiment(store.experiment_id).tags[name]) == saved


def test_the_address_opens_the_view() -> None:
    table = view_address("http://host:5000/", "7")
    assert table == (
        f"http://host:5000/#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"
    )
    assert view_address("http://host:5000", "7", charts=True) == f"{table}&compareRunsMode=CHART"
