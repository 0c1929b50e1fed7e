"""One process at a time changes the aliases of a registered model, wherever its store is.

MLflow sets an alias whatever it was before. What is atomic on every store, SQLite, PostgreSQL or a server,
is to make a registered model of a name that must not exist yet: that is the lock. A lock file beside the
database would be let go by the kernel, but is none for two machines at one server.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Final

import mlflow
from mlflow.exceptions import MlflowException

from ferflow.errors import FerflowError

#: What is done under the lock takes a second or two: who holds it for so long was killed.
STALE_SECONDS: Final = 60.0
_GIVE_UP_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.1
_HOLDER: Final = "ferflow.lock_holder"


@contextlib.contextmanager
def registry_lock(
    client: mlflow.MlflowClient, registered_model: str, stale_seconds: float = STALE_SECONDS
) -> Iterator[Callable[[], None]]:
    """Hold the lock of a registered model for the block, which must be short; wait for whoever has it.

    The block is given a function to call before its first write: it raises if the lock was broken meanwhile,
    as that of a process that was stopped for long.

    Args:
        client: Of the store that holds the registry.
        registered_model: Its name; the lock is a registered model of this name with `-lock` behind it.
        stale_seconds: A lock that stays the same for so long is broken. It is watched with our own clock:
            those of other machines may differ.

    Raises:
        FerflowError: Others hold the lock for five minutes, or have broken ours.
    """
    with _lock(client, f"{registered_model}-lock", stale_seconds) as require:
        yield require


@contextlib.contextmanager
def _lock(client: mlflow.MlflowClient, name: str, stale_seconds: float) -> Iterator[Callable[[], None]]:
    holder = uuid.uuid4().hex

    def require() -> None:
        if _holder(client, name) != holder:
            raise FerflowError(
                f"this process was so slow that another one broke its lock '{name}': nothing was changed, "
                "try again."
            )

    _acquire(client, name, holder, stale_seconds)
    try:
        yield require
    finally:
        if _holder(client, name) == holder:
            _delete(client, name)


def _acquire(client: mlflow.MlflowClient, name: str, holder: str, stale_seconds: float) -> None:
    begun = since = time.monotonic()
    watched: str | None = None
    while not _made(client, name, holder):
        found, now = _holder(client, name), time.monotonic()
        if found != watched:
            watched, since = found, now
        elif found is not None and now - since >= stale_seconds:
            _break(client, name, found, stale_seconds)
        if now - begun >= max(_GIVE_UP_SECONDS, 2 * stale_seconds):
            raise FerflowError(
                f"the MLflow registry is locked for {now - begun:.0f} s: if nobody registers a model, "
                f"delete the registered model '{name}' and what begins with its name, then try again."
            )
        time.sleep(_POLL_SECONDS)


def _made(client: mlflow.MlflowClient, name: str, holder: str) -> bool:
    """Return whether the lock of this name is ours now."""
    try:
        client.create_registered_model(
            name,
            tags={_HOLDER: holder},
            description="A lock, for a second: somebody registers a model. It is no model.",
        )
    except MlflowException as error:
        if error.error_code in {"RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"}:
            # The client may have asked twice, as it does when an answer is lost on the way.
            return _holder(client, name) == holder
        raise
    return True


def _holder(client: mlflow.MlflowClient, name: str) -> str | None:
    try:
        tags: dict[str, str] = client.get_registered_model(name).tags
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return tags.get(_HOLDER, "")


def _break(client: mlflow.MlflowClient, name: str, stale: str, stale_seconds: float) -> None:
    """Delete the lock of a killed process, and none that somebody has taken meanwhile."""
    # Of all who wait, one at a time: by the time another one deletes it, the lock could be a new one. Who
    # breaks may be killed too, so that this is a lock like the other.
    with _lock(client, f"{name}-{stale}", stale_seconds):
        if _holder(client, name) == stale:
            _delete(client, name)


def _delete(client: mlflow.MlflowClient, name: str) -> None:
    try:
        client.delete_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # the client may have asked twice
            raise
