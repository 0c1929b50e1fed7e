"""Which running runs are alive: a process that was killed cannot say that its run has ended."""

from __future__ import annotations

import os
import platform
import time
from typing import Final

import psutil
from mlflow.entities import Run, RunStatus
from mlflow.exceptions import MlflowException

from ferflow.tracking.store import Store

#: Tag of a run that is being trained: the machine, the process, and when that started.
PROCESS: Final = "process"

#: On another machine a run that has shown no sign of life for so long is taken for dead. System metrics are
#: logged every few seconds; if it is alive after all, it says so when it ends.
_SILENCE_SECONDS: Final = 3600
_CLOCK_SECONDS: Final = 60
_SIGN_OF_LIFE: Final = "system/system_memory_usage_megabytes"


def process_tag() -> str:
    """Return what identifies this process: an id alone is given to another one in time."""
    return f"{platform.node()} {os.getpid()} {psutil.Process().create_time():.2f}"


def is_alive(store: Store, run: Run) -> bool:
    """Return whether the process that trains a running run is still there, as far as can be known.

    Args:
        store: An open store.
        run: With the status RUNNING.
    """
    rest, _, noted = run.data.tags.get(PROCESS, "").rpartition(" ")
    machine, _, process = rest.rpartition(" ")
    if machine == platform.node():
        try:
            started = psutil.Process(int(process)).create_time()
        except (psutil.Error, ValueError):
            return False
        # When a process started follows from when the machine did, which moves with its clock.
        return bool(abs(started - float(noted)) < _CLOCK_SECONDS)
    return time.time() - _last_sign_of_life(store, run) / 1000 < _SILENCE_SECONDS


def end_dead_runs(store: Store) -> None:
    """Give the runs whose processes were killed the status KILLED, from their last sign of life on."""
    running = store.client.search_runs([store.experiment_id], "attributes.status = 'RUNNING'")
    for run in running:
        if not is_alive(store, run):
            ended = _last_sign_of_life(store, run)
            store.client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED), ended)


def _last_sign_of_life(store: Store, run: Run) -> int:
    """Return when a run was begun or last heard of, in milliseconds since the epoch."""
    try:
        heard = store.client.get_metric_history(run.info.run_id, _SIGN_OF_LIFE)
    except MlflowException:
        heard = []
    return max(int(run.info.start_time), *(int(metric.timestamp) for metric in heard), 0)
