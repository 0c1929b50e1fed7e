"""Models in MLflow, for those who use them: found by alias, version, run or address, and fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mlflow
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.tracking import aliases
from ferflow.tracking.model_folders import files_are_gone, model_folder
from ferflow.tracking.store import reading
from ferflow.tracking.versions import MISSING, title, version_with, versions_of

_RUN: Final = re.compile("[0-9a-f]{32}")
_ADDRESS: Final = re.compile("[a-z0-9+-]+:/")
#: What of a version's tags its users want to know.
_SHOWN: Final = ("model", "dataset", "fingerprint", "val_macro_f1", "test_macro_f1", "test_accuracy")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model of MLflow's, on this machine.

    Attributes:
        folder: What MLflow wrote of it.
        file: The .keras file in it.
        labels: The emotions in the order of its probabilities.
        title: What people call it.
        details: What is known of it: `registered_model`, `version`, `aliases`, and some of its tags.
    """

    folder: Path
    file: Path
    labels: tuple[str, ...]
    title: str
    details: Mapping[str, str]


def stored_model(name: str, registered_model: str) -> StoredModel:
    """Return the model that a user calls `name`.

    Args:
        name: An alias or the number of a version, the id of a run, an address of MLflow's, or a folder that
            MLflow wrote.
        registered_model: Whose alias or version it is.

    Raises:
        FerflowError: There is none, its files are gone, or the store does not work.
    """
    if _ADDRESS.match(name):
        return at_address(name)
    if Path(name).is_dir():
        return inmodel_folder(Path(name))
    if _RUN.fullmatch(name):
        return of_run(name)
    return by_number(registered_model, name) if name.isdecimal() else by_alias(registered_model, name)


def by_alias(registered_model: str, alias: str) -> StoredModel:
    """Return the version of a registered model that has an alias.

    Raises:
        FerflowError: There is none, its files are gone, or the store does not work.
    """
    with reading() as client:
        version = version_with(client, registered_model, alias)
        if version is None:
            raise FerflowError(_no_such(client, registered_model, f"alias '{alias}'"))
        return _of_version(client, version)


def by_number(registered_model: str, number: str) -> StoredModel:
    """Return a version of a registered model.

    Raises:
        FerflowError: As of `by_alias`.
    """
    with reading() as client:
        # Looked for among all: a store answers a number beyond its own range with an error of its database.
        found = [each for each in versions_of(client, registered_model, {}) if str(each.version) == number]
        if not found:
            raise FerflowError(_no_such(client, registered_model, f"version {number}"))
        # With its aliases, which a search leaves out.
        return _of_version(client, client.get_model_version(registered_model, number))


def of_run(run_id: str, name: str = "") -> StoredModel:
    """Return the model that was logged in a run.

    Args:
        run_id: The run's id.
        name: Which of its models, by the name under which it was logged; empty if there is but one.

    Raises:
        FerflowError: There is no such run, no or no such model in it, or the store does not work.
    """
    with reading() as client:
        run = _run(client, run_id)
        outputs = run.outputs.model_outputs if run.outputs else []
        logged = [client.get_logged_model(output.model_id) for output in outputs]
        chosen = [model for model in logged if not name or model.name == name]
        if not logged:
            model = run.data.tags.get("model", "its model")
            raise FerflowError(
                f"no model was logged in run {run_id}: only the best of a leaderboard is; {model} is a file "
                "below models: give its path."
            )
        if len({model.name for model in chosen}) != 1:
            names = ", ".join(sorted({str(model.name) for model in logged}))
            raise FerflowError(f"say which model of run {run_id}: runs:/{run_id}/<name>, of {names}.")
        # One that was packaged anew was logged again.
        place = max(chosen, key=lambda model: model.creation_timestamp).artifact_location
        called = f"run {run.info.run_name}"
        return _opened(model_folder(place, called), called, {"run": run_id, **_shown(run.data.tags)})


def at_address(uri: str) -> StoredModel:
    """Return the model at an address of MLflow's.

    Args:
        uri: `models:/name@alias`, `models:/name/3`, `models:/m-…`, `runs:/…`, or where a model's folder lies.

    Raises:
        FerflowError: There is none, or the store does not work.
    """
    scheme, _, rest = uri.partition(":/")
    rest = rest.strip("/")
    if scheme == "runs":
        run_id, _, name = rest.partition("/")
        return of_run(run_id, name)
    if scheme == "models" and "@" in rest:
        return by_alias(*rest.rsplit("@", 1))
    if scheme == "models" and "/" in rest:
        return by_number(*rest.rsplit("/", 1))
    with reading() as client:
        # What lies elsewhere may change at its address.
        logged = scheme == "models"
        place = _location(client, rest) if logged else uri
        return _opened(model_folder(place, uri, changes=not logged), uri, {})


def inmodel_folder(folder: Path) -> StoredModel:
    """Return the model in a folder that MLflow wrote.

    Raises:
        FerflowError: It holds no model of ferflow's.
    """
    return _opened(folder, folder.name, {})


def champion_number(registered_model: str) -> str | None:
    """Return which version is champion now; None if none is.

    Raises:
        FerflowError: The store does not work.
    """
    with reading() as client:
        version = version_with(client, registered_model, aliases.CHAMPION)
        return None if version is None else str(version.version)


def versions(registered_model: str) -> dict[str, str]:
    """Return what people call the versions of a registered model, the newest first, by number.

    Raises:
        FerflowError: The store does not work.
    """
    with reading() as client:
        return {str(each.version): title(each) for each in versions_of(client, registered_model, {})}


def _of_version(client: mlflow.MlflowClient, version: ModelVersion) -> StoredModel:
    name, number = version.name, str(version.version)
    details = {
        "registered_model": name,
        "version": number,
        "aliases": ", ".join(version.aliases),
        **_shown(version.tags),
    }
    called = f"{name} {title(version)}"
    return _opened(model_folder(client.get_model_version_download_uri(name, number), called), called, details)


def _location(client: mlflow.MlflowClient, model_id: str) -> str:
    try:
        return str(client.get_logged_model(model_id).artifact_location)
    except MlflowException as error:
        if error.error_code in MISSING:
            raise FerflowError(f"there is no model {model_id} in the MLflow store.") from None
        raise


def _opened(folder: Path, called: str, details: Mapping[str, str]) -> StoredModel:
    artifacts = folder / "artifacts"
    file = next(iter(sorted(artifacts.glob("*.keras"))), None)
    if file is None:
        raise FerflowError(files_are_gone(called))
    names = artifacts / "labels.json"
    labels = tuple(json.loads(names.read_text(encoding="utf-8"))) if names.is_file() else EMOTIONS
    return StoredModel(folder, file, labels, called, details)


def _run(client: mlflow.MlflowClient, run_id: str) -> Run:
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in MISSING:
            raise FerflowError(
                f"there is no run {run_id} in the MLflow store: `make ui` lists them."
            ) from None
        raise


def _no_such(client: mlflow.MlflowClient, registered_model: str, wanted: str) -> str:
    found = versions_of(client, registered_model, {})
    if not found:
        return f"no model is registered as '{registered_model}' yet: run `make repro`."
    held = client.get_registered_model(registered_model).aliases
    named = ", ".join(f"{alias} is version {number}" for alias, number in sorted(held.items()))
    return (
        f"'{registered_model}' has no {wanted}; it has {', '.join(title(version) for version in found)}; "
        f"{named or 'none of them has an alias'}."
    )


def _shown(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: tags[name] for name in _SHOWN if name in tags}
