"""The folder of a model on this machine: where it lies, or a copy of what lies elsewhere."""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path

from ferflow.data.source.cache import cache_folder
from ferflow.errors import FerflowError
from ferflow.files import atomic_folder, sha256_of_json
from ferflow.tracking.version_files import told_alike
from ferflow.tracking.versions import MISSING


def model_folder(place: str, called: str, *, changes: bool = False) -> Path:
    """Return the folder of a model: where it lies on this machine, else a copy that is kept.

    Args:
        place: The address of its files; by it a copy is known.
        called: What people call the model.
        changes: Whether there may be another model at this address later, as MLflow itself writes none twice.
            Then it is fetched each time.

    Raises:
        FerflowError: There is nothing.
        MlflowException, OSError: The store cannot be read.
    """
    if urlsplit(place).scheme in {"", "file"}:
        return Path(local_file_uri_to_path(place))
    copy = cache_folder() / "models" / sha256_of_json(place)[:32]
    if changes or not (copy / "MLmodel").is_file():
        _fetch(place, called, copy, changes=changes)
    return copy


def files_are_gone(called: str) -> str:
    """Return the words for a model without its files."""
    return f"the files of {called} are gone, or it is no model of ferflow's: run `make register`."


def _fetch(place: str, called: str, copy: Path, *, changes: bool) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        with told_alike(called), tempfile.TemporaryDirectory(dir=copy.parent) as temporary:
            # Beneath the folder that is given, in one named like the last part of the address.
            fetched = Path(mlflow.artifacts.download_artifacts(place, dst_path=temporary))
            with atomic_folder(copy) as folder:
                for each in fetched.iterdir():
                    each.rename(folder / each.name)
    except FileNotFoundError:
        raise FerflowError(files_are_gone(called)) from None
    except MlflowException as error:
        if error.error_code in MISSING:
            raise FerflowError(files_are_gone(called)) from None
        if changes:  # it is not the store of MLflow's that does not work
            reason = str(error).splitlines()[0]
            raise FerflowError(f"{reason}: for s3:// is ferflow[s3] needed, for gs:// ferflow[gs].") from None
        raise
