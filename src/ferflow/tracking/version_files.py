"""The files of a registered version. Gone is what the artifact store says is not there, and nothing else.

A store that does not answer, or refuses, has lost nothing: that error goes on to the caller.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path

from ferflow.errors import without_credentials


def is_loadable(version: ModelVersion) -> bool:
    """Return whether a version's files are still there: the database may outlive the artifact folder.

    Raises:
        MlflowException, OSError: The store cannot be read.
    """
    if "MLmodel" not in names_of_files(version):
        return False
    # One that somebody made by hand may hold any model.
    ours = "model_sha256" in version.tags
    return not ours or any(name.endswith(".keras") for name in names_of_files(version, "artifacts"))


def names_of_files(version: ModelVersion, folder: str = "") -> set[str]:
    """Return the names of what lies in a folder of a version; none if there is no such folder.

    Raises:
        MlflowException, OSError: The store cannot be read.
    """
    try:
        with told_alike(f"version {version.version}"):
            listed = mlflow.artifacts.list_artifacts(artifact_uri=_uri(version, folder))
            if not listed:
                _look_if_local(version)
    except FileNotFoundError:
        return set()
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return set()
        raise
    return {PurePosixPath(file.path).name for file in listed}


def _look_if_local(version: ModelVersion) -> None:
    """Raise why a folder on this machine cannot be looked into, which MLflow takes for an empty one."""
    uri = mlflow.MlflowClient().get_model_version_download_uri(version.name, str(version.version))
    if urlsplit(uri).scheme in {"", "file"}:
        Path(local_file_uri_to_path(uri)).stat()


@contextlib.contextmanager
def fetched(version: ModelVersion, path: str) -> Iterator[Path]:
    """Have a copy of a version's file for the block.

    Raises:
        MlflowException, OSError: It cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        with told_alike(f"version {version.version}"):
            file = Path(mlflow.artifacts.download_artifacts(_uri(version, path), dst_path=folder))
        yield file


def _uri(version: ModelVersion, path: str) -> str:
    return f"models:/{version.name}/{version.version}/{path}".rstrip("/")


@contextlib.contextmanager
def told_alike(called: str) -> Iterator[None]:
    """Tell every failure as one of MLflow's or the system's: each kind of artifact store has its own."""
    try:
        yield
    except (MlflowException, OSError):
        raise
    except Exception as error:
        words = without_credentials(f"{type(error).__name__}: {error}")
        raise MlflowException(f"the files of {called} cannot be read: {words}") from error
