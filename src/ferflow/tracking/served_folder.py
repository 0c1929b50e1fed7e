"""The folder of a model in MLflow, as a server needs it."""

from __future__ import annotations

from pathlib import Path

import mlflow

from ferflow.errors import FerflowError
from ferflow.tracking.store import errors_in_one_line, plain_address, tracking_uri


def fetch_model(model: str, registered_model: str, into: Path) -> Path:
    """Return the folder with the files of a model.

    Args:
        model: Alias or number of a version, an address of MLflow's (`models:/…`, `runs:/…`), or a folder.
        registered_model: Whose alias or version it is.
        into: An empty folder for what has to be copied or downloaded.

    Raises:
        FerflowError: There is no such model, or the store does not work.
    """
    if (Path(model) / "MLmodel").is_file():
        return Path(model).resolve()
    uri = tracking_uri()
    with errors_in_one_line(uri):
        mlflow.set_tracking_uri(plain_address(uri))
        folder = Path(
            mlflow.artifacts.download_artifacts(
                artifact_uri=_address(model, registered_model), dst_path=str(into)
            )
        )
    if not (folder / "MLmodel").is_file():
        raise FerflowError(
            f"'{model}' is no model of MLflow's: give an alias, a version or models:/<name>/1."
        )
    return folder


def _address(model: str, registered_model: str) -> str:
    if ":/" in model:
        return model
    return f"models:/{registered_model}{'/' if model.isdecimal() else '@'}{model}"
