from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ferflow.tracking.data_used import DataUsed
from ferflow.tracking.liveness import PROCESS, process_tag
from ferflow.tracking.results import log_results
from ferflow.tracking.runs import (
    live_run,
    matches_history,
    rebuild_run,
)
from ferflow.tracking.store import Store


def _all_runs(store: Store) -> list[Run]:
    return list(store.client.search_runs([store.experiment_id]))


def _finished(store: Store, training: dict[str, Any]) -> Run | None:
    runs = (run for run in _all_runs(store) if run.data.tags["fingerprint"] == training["fingerprint"])
    return next((run for run in runs if run.info.status == "FINISHED"), None)


def _train(store: Store, training: dict[str, Any], data: DataUsed, history: pd.DataFrame) -> None:
    with live_run(store, training, data, hardware="2 x A100") as log_epoch:
        for row in history.to_dict("records"):
            log_epoch(row)


def test_live_run_holds_params_epochs_data_and_provenance(
    store: Store, training: dict[str, Any], data: DataUsed, history: pd.DataFrame
) -> None:
    _train(store, training, data, history)
    run = _finished(store, training)
    assert run is not None
    assert run.info.status == "FINISHED"
    assert run.data.params["options.dropout"] == "0.25"
    assert run.data.params["phases.all.epochs"] == "2"
    assert run.data.tags["dvc_stage"] == "train@cnn4"
    assert run.data.tags["hardware"] == "2 x A100"
    assert [i.dataset.name for i in run.inputs.dataset_inputs] == ["test-train", "test-val", "test-test"]
    assert {i.dataset.digest for i in run.inputs.dataset_inputs} == {"d" * 32}
    assert matches_history(store, run, history)


def test_repeated_training_adds_neither_run_nor_points(
    store: Store, training: dict[str, Any], data: DataUsed, history: pd.DataFrame
) -> None:
    _train(store, training, data, history)
    first = _finished(store, training)
    _train(store, training, data, history)
    assert first is not None
    assert [run.info.run_id for run in _all_runs(store)] == [first.info.run_id]
    assert len(store.client.get_metric_history(first.info.run_id, "epoch/val_loss")) == 2


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("out of memory"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_unfinished_training_says_so_and_is_replaced_by_the_next(
    store: Store,
    training: dict[str, Any],
    data: DataUsed,
    history: pd.DataFrame,
    error: BaseException,
    status: str,
) -> None:
    with pytest.raises(type(error)), live_run(store, training, data):
        raise error
    assert [run.info.status for run in _all_runs(store)] == [status]
    assert _finished(store, training) is None
    _train(store, training, data, history)
    assert [run.info.status for run in _all_runs(store)] == ["FINISHED"]


def test_what_a_killed_process_left_running_is_replaced(
    store: Store, training: dict[str, Any], data: DataUsed, history: pd.DataFrame
) -> None:
    tags = {"fingerprint": training["fingerprint"], PROCESS: f"{platform.node()} {2**22 + 1} 0.00"}
    orphan = store.client.create_run(store.experiment_id, tags=tags)
    assert orphan.info.status == "RUNNING"
    _train(store, training, data, history)
    assert [run.info.status for run in _all_runs(store)] == ["FINISHED"]


def test_a_training_that_another_process_runs_is_left_to_it(
    store: Store, training: dict[str, Any], data: DataUsed, history: pd.DataFrame
) -> None:
    tags = {"fingerprint": training["fingerprint"], PROCESS: process_tag()}
    other = store.client.create_run(store.experiment_id, tags=tags)
    _train(store, training, data, history)
    assert [(run.info.run_id, run.info.status) for run in _all_runs(store)] == [
        (other.info.run_id, "RUNNING")
    ]


def test_training_survives_a_store_that_dies(
    store: Store,
    training: dict[str, Any],
    data: DataUsed,
    history: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise MlflowException("connection refused")

    with live_run(store, training, data) as log_epoch, monkeypatch.context() as patch:
        patch.setattr(store.client, "log_batch", fail)
        log_epoch(history.iloc[0].to_dict())
        log_epoch(history.iloc[1].to_dict())
    assert capsys.readouterr().err.count("warning: MLflow does not answer (connection refused)") == 1
    run = _finished(store, training)
    assert run is not None
    assert not matches_history(store, run, history)


def test_rebuilt_run_equals_the_live_one(
    store: Store, training: dict[str, Any], data: DataUsed, history: pd.DataFrame
) -> None:
    _train(store, training, data, history)
    live = _finished(store, training)
    rebuilt = rebuild_run(store, training, history, data)
    assert live is not None
    assert [run.info.run_id for run in _all_runs(store)] == [rebuilt.info.run_id]
    assert rebuilt.info.status == "FINISHED"
    assert rebuilt.data.params == live.data.params
    assert rebuilt.info.run_name == live.info.run_name
    assert matches_history(store, rebuilt, history)


@pytest.mark.parametrize(
    "change",
    [
        lambda history: history.assign(val_loss=[1.8, 1.7]),
        lambda history: history.iloc[:1],
        lambda history: pd.concat([history, history.iloc[:1].assign(epoch=3)]),
    ],
    ids=["another value", "an epoch less", "an epoch more"],
)
def test_run_of_another_history_is_noticed(
    store: Store, training: dict[str, Any], data: DataUsed, history: pd.DataFrame, change: Any
) -> None:
    run = rebuild_run(store, training, history, data)
    assert not matches_history(store, run, change(history))


def test_results_are_logged_once_and_again_when_they_change(
    store: Store, training: dict[str, Any], data: DataUsed, history: pd.DataFrame, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    report.mkdir()
    (report / "metrics.json").write_text("{}")
    files = {"report/metrics.json": report / "metrics.json"}
    run = rebuild_run(store, training, history, data)
    for value in (0.5, 0.5, 0.6):
        current = store.client.get_run(run.info.run_id)
        log_results(store, current, {"val/macro_f1": value}, files, {"note": "x"})
    points = store.client.get_metric_history(run.info.run_id, "val/macro_f1")
    assert [point.value for point in points] == [0.5, 0.6]
    paths = [item.path for item in store.client.list_artifacts(run.info.run_id, "report")]
    assert paths == ["report/metrics.json"]
