"""The folder of a model in MLflow, as a server needs it."""

from __future__ import annotations

from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from ferflow.errors import FerflowError
from ferflow.tracking.store import errors_in_one_line, plain_address, tracking_uri
from ferflow.tracking.versions import MISSING


def fetch_model(model: str, registered_model: str, into: Path) -> Path:
    """Return the folder with the files of a model.

    Args:
        model: Alias or number of a version, an address of MLflow's (`models:/…`, `runs:/…`), or a folder.
        registered_model: Whose alias or version it is.
        into: A folder for what has to be copied or downloaded.

    Raises:
        FerflowError: There is no such model, or the store does not work.
    """
    if (Path(model) / "MLmodel").is_file():
        return Path(model).resolve()
    uri = tracking_uri()
    address = _address(model, registered_model)
    with errors_in_one_line(uri):
        mlflow.set_tracking_uri(plain_address(uri))
        folder = _downloaded(address, into)
    if not (folder / "MLmodel").is_file():
        raise FerflowError(
            f"{address} is no model of MLflow's: give an alias, a version or models:/<name>/1."
        )
    return folder


def _downloaded(address: str, into: Path) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    try:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=str(into)))
    except MlflowException as error:
        if error.error_code not in MISSING:
            raise
        raise FerflowError(
            f"there is no {address}: give an alias or a version that `make ui` shows; `make repro` makes a "
            "champion."
        ) from None


def _address(model: str, registered_model: str) -> str:
    if ":/" in model:
        return model
    return f"models:/{registered_model}{'/' if model.isdecimal() else '@'}{model}"
