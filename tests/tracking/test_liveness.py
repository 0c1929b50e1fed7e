from __future__ import annotations

import platform
import time

import psutil
import pytest
from mlflow.entities import Metric

from ferflow.tracking.liveness import PROCESS, end_dead_runs, process_tag
from ferflow.tracking.store import Store

_NOBODY = 2**22 + 1  # above the largest id that Linux gives
_HOUR = 3_600_000


def _status_after(
    store: Store, process: str, *, started: int = 0, heard: int | None = None
) -> tuple[str, int]:
    """The status and end, in milliseconds ago, of a run that began and was heard of so long ago."""
    now = int(time.time() * 1000)
    tags = {PROCESS: process} if process else {}
    run = store.client.create_run(store.experiment_id, start_time=now - started, tags=tags)
    if heard is not None:
        metric = Metric("system/system_memory_usage_megabytes", 1.0, now - heard, 0)
        store.client.log_batch(run.info.run_id, metrics=[metric])
    end_dead_runs(store)
    info = store.client.get_run(run.info.run_id).info
    return info.status, now - (info.end_time or now)


def test_a_run_of_this_process_is_alive_however_long_it_is_silent(store: Store) -> None:
    assert _status_after(store, process_tag(), started=9 * _HOUR) == ("RUNNING", 0)


def test_a_step_of_the_clock_kills_no_run(store: Store) -> None:
    machine, process, started = process_tag().rsplit(" ", 2)
    assert _status_after(store, f"{machine} {process} {float(started) + 2:.2f}") == ("RUNNING", 0)


@pytest.mark.parametrize(
    "process",
    [
        f"{platform.node()} {_NOBODY} 1.00",
        # The id of a living process, but of one that started at another time.
        f"{platform.node()} {psutil.Process().pid} 1.00",
        f"{platform.node()} one 1.00",
    ],
    ids=["no such process", "another process of that id", "no id"],
)
def test_a_run_of_a_killed_process_is_killed_when_it_was_last_heard_of(store: Store, process: str) -> None:
    assert _status_after(store, process, started=5000, heard=3000) == ("KILLED", 3000)
    assert _status_after(store, process, started=5000) == ("KILLED", 5000)


def test_a_run_of_another_machine_is_killed_after_an_hour_of_silence(store: Store) -> None:
    other = "another-machine 1 1.00"
    assert _status_after(store, other, started=2 * _HOUR, heard=_HOUR // 2) == ("RUNNING", 0)
    assert _status_after(store, other, started=3 * _HOUR, heard=2 * _HOUR) == ("KILLED", 2 * _HOUR)
    assert _status_after(store, "", started=2 * _HOUR) == ("KILLED", 2 * _HOUR)


def test_what_has_ended_stays_as_it_ended(store: Store) -> None:
    run = store.client.create_run(store.experiment_id, start_time=1)
    store.client.set_terminated(run.info.run_id, "FAILED", 2)
    end_dead_runs(store)
    info = store.client.get_run(run.info.run_id).info
    assert (info.status, info.end_time) == ("FAILED", 2)
