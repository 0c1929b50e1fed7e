"""One run for each training, found by its fingerprint: live while it trains, rebuilt when it is gone."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import mlflow
import pandas as pd
from mlflow.entities import Metric, Param, Run, RunStatus
from mlflow.exceptions import MlflowException

from ferflow.errors import FerflowError, without_credentials
from ferflow.tracking.data_used import DataUsed, log_dataset
from ferflow.tracking.liveness import PROCESS, end_dead_runs, process_tag
from ferflow.tracking.provenance import (
    NO_PATCH,
    PATCH,
    provenance_tags,
    uncommitted_changes,
    why_not_kept,
)
from ferflow.tracking.registry_lock import registry_lock
from ferflow.tracking.store import Store, errors_in_one_line, quoted

#: history.csv's columns and the metrics they are logged as; MLflow groups names at the slash.
EPOCH_METRICS: Final = {
    "loss": "epoch/train_loss",
    "accuracy": "epoch/train_accuracy",
    "val_loss": "epoch/val_loss",
    "val_accuracy": "epoch/val_accuracy",
    "learning_rate": "epoch/learning_rate",
}
_SYSTEM_METRICS_SECONDS: Final = 5


@contextlib.contextmanager
def live_run(
    store: Store | None, training: Mapping[str, Any], data: DataUsed, hardware: str = ""
) -> Iterator[Callable[[Mapping[Any, Any]], None]]:
    """Yield a function that logs an epoch of a training as it happens.

    If this training has a finished run already, or another process is just training it, nothing is
    logged: it is being repeated. What is left of killed attempts is deleted, since a training that goes
    on logs its earlier epochs again. The run ends FINISHED, FAILED or KILLED. If the store stops answering
    meanwhile, the training goes on with a warning; the register stage makes up for it.

    Args:
        store: An open store, or None to log nothing.
        training: From `fingerprint.describe_training`, with data set and budget.
        data: The data that the training uses.
        hardware: What it runs on, for people.
    """
    run = None if store is None else _start_run(store, training, data, hardware)
    if store is None or run is None:
        yield lambda _: None
        return
    status = "FAILED"
    try:
        yield _epoch_logger(store, run.info.run_id)
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        with contextlib.suppress(MlflowException):
            mlflow.end_run(status)


def _start_run(store: Store, training: Mapping[str, Any], data: DataUsed, hardware: str) -> Run | None:
    """Return the new, active run of a training; None if it has one already or the store fails."""
    try:
        with errors_in_one_line(store.uri):
            end_dead_runs(store)
            with _lock(store):
                if any(_finished(run) or _running(run) for run in _runs(store, training["fingerprint"])):
                    return None
                delete_runs(store, training["fingerprint"])
                run = _create_run(store, training, data, {"hardware": hardware, PROCESS: process_tag()})
            mlflow.set_system_metrics_sampling_interval(_SYSTEM_METRICS_SECONDS)
            mlflow.start_run(run_id=run.info.run_id, log_system_metrics=True)
            return run
    except FerflowError as error:
        print(f"warning: {error} The training is not logged until then.", file=sys.stderr, flush=True)
        return None


def ensure_run(store: Store, training: Mapping[str, Any], history: pd.DataFrame, data: DataUsed) -> Run:
    """Return the one finished run of a training; what is not as its files say is made again from them.

    Args:
        store: An open store.
        training: training.json.
        history: history.csv; no row of an ensemble.
        data: The data that the training used.
    """
    runs = _runs(store, training["fingerprint"])
    if len(runs) == 1 and _finished(runs[0]) and matches_history(store, runs[0], history):
        return runs[0]
    with _lock(store):
        # Another process may have made it meanwhile.
        finished = [run for run in _runs(store, training["fingerprint"]) if _finished(run)]
        kept = next((run for run in finished if matches_history(store, run, history)), None)
        if kept is None:
            return rebuild_run(store, training, history, data)
        for run in finished:
            if run.info.run_id != kept.info.run_id:
                store.client.delete_run(run.info.run_id)
        return kept


def rebuild_run(store: Store, training: Mapping[str, Any], history: pd.DataFrame, data: DataUsed) -> Run:
    """Make the finished run of a training from its files, in place of whatever there was of it."""
    delete_runs(store, training["fingerprint"])
    run = _create_run(store, training, data)
    # An ensemble has no live run: nothing is made again.
    if not history.empty:
        store.client.set_tag(run.info.run_id, "rebuilt", "true")
    metrics = [metric for row in history.to_dict("records") for metric in _epoch_metrics(row)]
    store.client.log_batch(run.info.run_id, metrics=metrics)
    store.client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.FINISHED))
    return store.client.get_run(run.info.run_id)


def stage_of(training: Mapping[str, Any]) -> str:
    """Return which DVC stage made what a training.json is of: models are trained, ensembles put together."""
    return "ensemble" if "members" in training["recipe"] else "train"


def matches_history(store: Store, run: Run, history: pd.DataFrame) -> bool:
    """Return whether a run holds just the epochs of `history`, to the digits that the file keeps."""
    for column, name in EPOCH_METRICS.items():
        logged = {
            metric.step: metric.value for metric in store.client.get_metric_history(run.info.run_id, name)
        }
        if sorted(logged) != history["epoch"].tolist():
            return False
        if any(
            abs(logged[epoch] - value) > 1e-6 * max(1.0, abs(value))
            for epoch, value in zip(history["epoch"], history[column], strict=True)
        ):
            return False
    return True


def delete_runs(store: Store, fingerprint: str) -> None:
    """Delete the runs of a training, whatever their state."""
    for run in _runs(store, fingerprint):
        store.client.delete_run(run.info.run_id)


def _runs(store: Store, fingerprint: str) -> list[Run]:
    query = f"tags.fingerprint = {quoted(fingerprint)}"
    found = store.client.search_runs([store.experiment_id], query, order_by=["attributes.start_time ASC"])
    return list(found)


def _finished(run: Run) -> bool:
    return bool(run.info.status == RunStatus.to_string(RunStatus.FINISHED))


def _running(run: Run) -> bool:
    return bool(run.info.status == RunStatus.to_string(RunStatus.RUNNING))


def _create_run(
    store: Store, training: Mapping[str, Any], data: DataUsed, tags: Mapping[str, str] | None = None
) -> Run:
    name, fingerprint = training["model"], training["fingerprint"]
    run = store.client.create_run(
        store.experiment_id,
        run_name=f"{name}-{fingerprint[:7]}",
        tags={
            "fingerprint": fingerprint,
            "model": name,
            **{key: str(training[key]) for key in ("dataset", "budget", "seed", "device", "precision")},
            "data_sha256": data.sha256,
            # How to find the runs of an ensemble's members.
            **{f"member.{each}": of for each, of in training.get("member_fingerprints", {}).items()},
            **provenance_tags(f"{stage_of(training)}@{name}"),
            **(tags or {}),
        },
    )
    params = {key: training[key] for key in ("architecture", "seed", "dataset", "budget", "precision")}
    params |= _flatten(training["recipe"])
    store.client.log_batch(run.info.run_id, params=[Param(key, str(value)) for key, value in params.items()])
    log_dataset(store, run, data)
    if run.data.tags.get("git_dirty") == "true":
        _log_changes(store, run)
    return run


def _log_changes(store: Store, run: Run) -> None:
    """Keep with a run what was not committed when it was made, or say why not."""
    patch = uncommitted_changes()
    if reason := why_not_kept(patch):
        store.client.set_tag(run.info.run_id, NO_PATCH, reason)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(PATCH).name
        file.write_bytes(patch)
        store.client.log_artifact(run.info.run_id, str(file), str(Path(PATCH).parent))


def _lock(store: Store) -> contextlib.AbstractContextManager[object]:
    """Return the lock under which the runs of an experiment are found and made, by one process at a time."""
    return registry_lock(store.client, f"runs-of-experiment-{store.experiment_id}")


def _epoch_logger(store: Store, run_id: str) -> Callable[[Mapping[Any, Any]], None]:
    working = True

    def log(row: Mapping[Any, Any]) -> None:
        nonlocal working
        if not working:
            return
        try:
            store.client.log_batch(run_id, metrics=_epoch_metrics(row))
        except MlflowException as error:
            working = False
            reason = without_credentials(str(error).splitlines()[0])
            print(
                f"warning: MLflow does not answer ({reason}); the training goes on and is logged by the "
                "register stage.",
                file=sys.stderr,
                flush=True,
            )

    return log


def _epoch_metrics(row: Mapping[Any, Any]) -> list[Metric]:
    now = _now()
    return [
        Metric(name, float(row[column]), now, int(row["epoch"])) for column, name in EPOCH_METRICS.items()
    ]


def _flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            flat |= _flatten(item, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = item
    return flat


def _now() -> int:
    return int(time.time() * 1000)
