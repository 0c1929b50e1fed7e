from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ferflow.errors import FerflowError
from ferflow.tracking import registry
from ferflow.tracking import registry_lock as lock_module
from ferflow.tracking.registry_lock import registry_lock
from ferflow.tracking.store import Store

from .registering import NAME, candidate, held, log_without_keras, number_of_versions, put_forward

LOCK = f"{NAME}-lock"

#: One of two processes that register the same models at once, each in its own order. Between what it has
#: checked and what it writes it waits for the other one, which comes only if there is no lock.
REGISTERING = """
import json, os, sys, time
from pathlib import Path
from tracking import registering
from ferflow.tracking import registry
from ferflow.tracking.store import connect
folder, names = Path(sys.argv[1]), json.loads(sys.argv[2])
def wait_for_both(place, seconds):
    (folder / f"{place}-{os.getpid()}").touch()
    end = time.monotonic() + seconds
    while len(list(folder.glob(f"{place}-*"))) < 2 and time.monotonic() < end:
        time.sleep(0.005)
create = registry._create_version
def create_with_the_other(*arguments):
    wait_for_both("checked", 2)
    return create(*arguments)
registry._create_version = create_with_the_other
registering.use_no_keras()
store = connect("ferflow-test")
wait_for_both("ready", 60)
for name in names:
    registering.put_forward(store, registering.candidate(folder, name, 7 * int(name[-1])))
"""


def test_two_processes_at_once_leave_one_version_each_and_the_best_as_champion(
    store: Store, tmp_path: Path
) -> None:
    orders = (["m1", "m4", "m2", "m3"], ["m1", "m3", "m2", "m4"])
    paths = (str(Path(__file__).parents[1]), *sys.path)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", REGISTERING, str(tmp_path), json.dumps(order)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for order in orders
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    versions = store.client.search_model_versions(f"name='{NAME}'")
    assert sorted(version.tags["model"] for version in versions) == ["m1", "m2", "m3", "m4"]
    models = {str(version.version): version.tags["model"] for version in versions}
    aliases = held(store)
    assert models[aliases["champion"]] == "m4"
    assert "m4" not in (models[aliases["previous"]], models[aliases["challenger"]])
    tags = {str(version.version): version.tags for version in versions}
    assert tags[aliases["champion"]]["promotion.replaced_version"] == aliases["previous"]
    # Of what both have logged, that of one is left; and no lock.
    assert len(store.client.search_logged_models([store.experiment_id])) == number_of_versions(store)
    assert [model.name for model in store.client.search_registered_models()] == [NAME]


def test_the_lock_is_held_by_one_at_a_time(store: Store) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(3):
            with registry_lock(store.client, NAME):
                inside += 1
                most = max(most, inside)
                time.sleep(0.01)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not store.client.search_registered_models()


def test_the_lock_is_released_when_its_block_fails(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), registry_lock(store.client, NAME):
        raise ZeroDivisionError
    with registry_lock(store.client, NAME):
        assert [model.name for model in store.client.search_registered_models()] == [LOCK]


def test_the_lock_of_a_killed_process_is_broken_and_no_younger_one(store: Store) -> None:
    store.client.create_registered_model(LOCK, tags={"ferflow.lock_holder": "killed"})
    begun = time.monotonic()
    with registry_lock(store.client, NAME, stale_seconds=0.3):
        assert time.monotonic() - begun >= 0.3
        # Whoever has seen the old lock too finds ours, and leaves it.
        lock_module._break(store.client, LOCK, "killed", 0.3)
        assert store.client.get_registered_model(LOCK)
    with pytest.raises(MlflowException):
        store.client.get_registered_model(LOCK)


def test_a_killed_breaker_of_a_lock_is_no_obstacle(store: Store) -> None:
    store.client.create_registered_model(LOCK, tags={"ferflow.lock_holder": "killed"})
    store.client.create_registered_model(f"{LOCK}-killed", tags={"ferflow.lock_holder": "killed too"})
    with registry_lock(store.client, NAME, stale_seconds=0.2):
        assert [model.name for model in store.client.search_registered_models()] == [LOCK]


def test_a_lock_that_is_deleted_twice_is_released(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the client does when the answer is lost on the way."""
    delete = MlflowClient.delete_registered_model

    def delete_twice(client: MlflowClient, name: str) -> None:
        delete(client, name)
        delete(client, name)

    monkeypatch.setattr(MlflowClient, "delete_registered_model", delete_twice)
    store.client.create_registered_model(LOCK, tags={"ferflow.lock_holder": "killed"})
    with registry_lock(store.client, NAME, stale_seconds=0.1):
        pass
    assert not store.client.search_registered_models()


def test_who_has_lost_the_lock_writes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped for a minute goes on, and somebody else has the lock."""
    monkeypatch.setattr(registry, "log_candidate", log_without_keras)
    put_forward(store, candidate(tmp_path, "first", 21))
    before = held(store)
    seen = registry._seen

    def seen_slowly(*arguments: Any) -> Any:
        with contextlib.suppress(MlflowException):  # there is none before it is taken
            store.client.delete_registered_model(LOCK)
            store.client.create_registered_model(LOCK, tags={"ferflow.lock_holder": "somebody"})
        return seen(*arguments)

    monkeypatch.setattr(registry, "_seen", seen_slowly)
    with pytest.raises(FerflowError, match=f"broke its lock '{LOCK}': nothing was changed, try again"):
        put_forward(store, candidate(tmp_path, "second", 70))
    assert (held(store), number_of_versions(store)) == (before, 1)
    assert len(store.client.search_logged_models([store.experiment_id])) == 1
    # The other one's lock stays.
    assert store.client.get_registered_model(LOCK)


def test_a_lock_that_nobody_gives_back_is_one_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "_GIVE_UP_SECONDS", 0.3)
    monkeypatch.setattr(lock_module, "_break", lambda *_: None)
    store.client.create_registered_model(LOCK, tags={"ferflow.lock_holder": "somebody"})
    with (
        pytest.raises(FerflowError, match=f"delete the registered model '{LOCK}'"),
        registry_lock(store.client, NAME, stale_seconds=0.1),
    ):
        pass
    # Not ours to delete.
    assert store.client.get_registered_model(LOCK)
