"""The connection to the tracking store: where it is, whether it answers, one experiment in it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import filelock
import mlflow
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from ferflow.errors import FerflowError, without_credentials

_LOCK_SECONDS: Final = 120
_SQLITE: Final = "sqlite:///"
#: Where DVC copies the project to for `dvc exp run --queue` and `--temp`.
_EXPERIMENT_COPIES: Final = (".dvc", "tmp", "exps")


@dataclass(frozen=True, slots=True)
class Store:
    """An open tracking store.

    Attributes:
        client: The MLflow client of it.
        uri: Its address, without credentials.
        experiment_id: The experiment that runs go to.
    """

    client: mlflow.MlflowClient
    uri: str
    experiment_id: str


def tracking_uri(root: Path | None = None) -> str:
    """Return the address of the tracking store: `MLFLOW_TRACKING_URI`, else `mlflow.db` in the project.

    A relative SQLite path is one in the project. DVC runs queued experiments in a copy of the project
    below `.dvc/tmp/exps`; their runs belong into the project's store too, not into one that is deleted
    with the copy.

    Args:
        root: The root of the project; the working directory by default.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    if not uri.startswith(_SQLITE):
        return uri
    folder = (root or Path.cwd()).resolve()
    for parent in folder.parents:
        if parent.parts[-3:] == _EXPERIMENT_COPIES:
            folder = parent.parents[2]
    return f"{_SQLITE}{folder / uri.removeprefix(_SQLITE)}"


def is_experiment_copy(root: Path | None = None) -> bool:
    """Return whether this is a copy of the project that DVC made to run an experiment in."""
    folders = (root or Path.cwd()).resolve().parents
    return any(folder.parts[-3:] == _EXPERIMENT_COPIES for folder in folders)


def connect(experiment: str) -> Store:
    """Open the tracking store and the experiment, making both if need be.

    Raises:
        FerflowError: The store does not answer.
    """
    uri = tracking_uri()
    with errors_in_one_line(uri):
        return _open(uri, experiment)


@contextlib.contextmanager
def reading() -> Iterator[mlflow.MlflowClient]:
    """Yield a client of the tracking store that is there, for reading: nothing is made.

    Raises:
        FerflowError: There is none, or it does not work in the block.
    """
    uri = plain_address(tracking_uri())
    if uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).is_file():
        raise FerflowError(
            f"there is no MLflow store here ({uri.removeprefix(_SQLITE)} is missing): run `make repro`, or "
            "set MLFLOW_TRACKING_URI to the address of your server."
        )
    with errors_in_one_line(uri, "then try again"):
        mlflow.set_tracking_uri(uri)
        yield mlflow.MlflowClient(tracking_uri=uri)


def connect_or_warn(experiment: str) -> Store | None:
    """Open the tracking store like `connect`, or say on stderr why not and return None.

    For a training: it is worth more than its log, which the register stage makes up for.
    """
    try:
        return connect(experiment)
    except FerflowError as error:
        print(f"warning: {error} The training is not logged until then.", file=sys.stderr, flush=True)
        return None


def plain_address(uri: str) -> str:
    """Return a server's address without user and password, which go where MLflow looks for them as well.

    At the end of each run MLflow prints the run's address, made of the server's as it was given.
    """
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or parts.username is None:
        return uri
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _open(uri: str, experiment: str) -> Store:
    uri = plain_address(uri)
    mlflow.set_tracking_uri(uri)
    if not uri.startswith(_SQLITE):
        client = mlflow.MlflowClient(tracking_uri=uri)
        return Store(client, without_credentials(uri), _experiment_id(client, experiment, None))
    database = Path(uri.removeprefix(_SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    # A client makes the database if it is missing; several that do so at once break it.
    with filelock.FileLock(database.with_name(f"{database.name}-lock"), timeout=_LOCK_SECONDS):
        client = mlflow.MlflowClient(tracking_uri=uri)
        artifacts = (database.parent.resolve() / "mlruns").as_uri()
        return Store(client, uri, _experiment_id(client, experiment, artifacts))


def _experiment_id(client: mlflow.MlflowClient, name: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        location = None if artifacts is None else f"{artifacts}/{name}"
        return str(client.create_experiment(name, artifact_location=location))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


@contextlib.contextmanager
def errors_in_one_line(uri: str, then: str = "then run `dvc repro` again; nothing is lost") -> Iterator[None]:
    """Tell failures of the store in one line, not as a traceback.

    Args:
        uri: Its address.
        then: What to do once it works again.

    Raises:
        FerflowError: MLflow, its database or driver, the file system or the lock failed in the block.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError, ImportError, OSError, filelock.Timeout) as error:
        reason = without_credentials(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise FerflowError(
            f"the MLflow store {without_credentials(uri)} does not work ({_shorten(reason)}): start the "
            f"server or correct MLFLOW_TRACKING_URI, {then}."
        ) from None


def _shorten(text: str, length: int = 200) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def quoted(value: Any) -> str:
    """Return a value as a literal of MLflow's search language."""
    return "'" + str(value).replace("'", "\\'") + "'"
