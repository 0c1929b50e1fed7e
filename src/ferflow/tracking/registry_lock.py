"""One process at a time changes the aliases of a registered model, wherever its store is.

MLflow sets an alias whatever it was before. What is atomic on every store, SQLite, PostgreSQL or a server,
is to make a registered model of a name that must not exist yet: that is the lock. A lock file beside the
database would be let go by the kernel, but is none for two machines at one server.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
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
) -> Iterator[None]:
    """Hold the lock of a registered model for the block, which must be short; wait for whoever has it.

    Args:
        client: Of the store that holds the registry.
        registered_model: Its name; the lock is a registered model of this name with `-lock` behind it.
        stale_seconds: A lock that stays the same for so long is broken. It is watched with our own clock:
            those of other machines may differ.

    Raises:
        FerflowError: Others hold the lock for five minutes.
    """
    name, holder = f"{registered_model}-lock", uuid.uuid4().hex
    _acquire(client, name, holder, stale_seconds)
    try:
        yield
    finally:
        if _holder(client, name) == holder:
            client.delete_registered_model(name)


def _acquire(client: mlflow.MlflowClient, name: str, holder: str, stale_seconds: float) -> None:
    begun = since = time.monotonic()
    watched: str | None = None
    while not _made(client, name, holder):
        found, now = _holder(client, name), time.monotonic()
        if found != watched:
            watched, since = found, now
        elif found is not None and now - since >= stale_seconds:
            _break(client, name, found)
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


def _break(client: mlflow.MlflowClient, name: str, stale: str) -> None:
    """Delete the lock of a killed process, and none that somebody has taken meanwhile."""
    # Of all who wait, one may do it: by the time another one deletes it, the lock could be a new one.
    breaking = f"{name}-{stale}"
    if not _made(client, breaking, uuid.uuid4().hex):
        return
    try:
        if _holder(client, name) == stale:
            client.delete_registered_model(name)
    finally:
        client.delete_registered_model(breaking)
