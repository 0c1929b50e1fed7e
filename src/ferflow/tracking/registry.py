"""The model registry: one version for each model, `champion` on the best."""

from __future__ import annotations

import importlib.metadata
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mlflow
import numpy as np
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from ferflow.files import sha256_of_file, sha256_of_json
from ferflow.stage import heavy_imports
from ferflow.tracking.store import Store, errors_in_one_line

CHAMPION: Final = "champion"
#: What a registered model needs to be opened; pinned to the versions that made it.
_REQUIREMENTS: Final = ("keras", "mlflow", "numpy", "pandas", "tensorflow")


_SERVED_CODE: Final = Path(__file__).with_name("served_model.py")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained model that is to be registered.

    Attributes:
        name: Its name in params.yaml.
        fingerprint: Of its training.
        file: The .keras file.
        image_shape: (H, W, C) of the raw images.
        labels: The emotions in the order of its probabilities.
        description: For people who look at the registry.
        tags: Shown beside the version.
    """

    name: str
    fingerprint: str
    file: Path
    image_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    description: str
    tags: Mapping[str, str]


def register_champion(store: Store, registered_model: str, run: Run, candidate: Candidate) -> ModelVersion:
    """Give `candidate` a version of the registered model, if it has none yet, and the alias `champion`.

    Registering the same model twice adds no version: it is known by fingerprint and file content.

    Args:
        store: An open store.
        registered_model: Its name in the registry; made if it is missing.
        run: The finished run of the candidate's training.
        candidate: The model.
    """
    identity = {
        "fingerprint": candidate.fingerprint,
        "model_sha256": sha256_of_file(candidate.file),
        "interface_sha256": sha256_of_json(
            [
                _SERVED_CODE.read_text(encoding="utf-8"),
                candidate.image_shape,
                candidate.labels,
                _requirements(),
            ]
        ),
    }
    version = _find_version(store, registered_model, identity)
    if version is None:
        version = _create_version(store, registered_model, run, candidate, identity)
    store.client.set_registered_model_alias(registered_model, CHAMPION, version.version)
    return version


def registered_champion(store: Store, registered_model: str) -> ModelVersion | None:
    """Return the version that has the alias `champion`, or None if there is none.

    Raises:
        FerflowError: The store does not work.
    """
    with errors_in_one_line(store.uri):
        try:
            return store.client.get_model_version_by_alias(registered_model, CHAMPION)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise


def _find_version(store: Store, registered_model: str, identity: Mapping[str, str]) -> ModelVersion | None:
    versions = store.client.search_model_versions(f"name='{registered_model}'")
    known = [version for version in versions if identity.items() <= version.tags.items()]
    return next((version for version in known if _is_loadable(version)), None)


def _is_loadable(version: ModelVersion) -> bool:
    """Return whether a version's files are still there: the database may outlive the artifact folder."""
    try:
        mlflow.models.get_model_info(f"models:/{version.name}/{version.version}")
    except (MlflowException, OSError):
        return False
    return True


def _create_version(
    store: Store, registered_model: str, run: Run, candidate: Candidate, identity: Mapping[str, str]
) -> ModelVersion:
    # MLflow runs the model's code once, and with it loads TensorFlow.
    with heavy_imports(), tempfile.TemporaryDirectory() as folder, mlflow.start_run(run_id=run.info.run_id):
        labels = Path(folder) / "labels.json"
        labels.write_text(json.dumps(candidate.labels), encoding="utf-8")
        logged = mlflow.pyfunc.log_model(
            name=candidate.name,
            python_model=str(_SERVED_CODE),
            artifacts={"keras_model": str(candidate.file), "labels": str(labels)},
            signature=_signature(candidate),
            input_example=np.zeros((1, *candidate.image_shape), np.uint8),
            pip_requirements=_requirements(),
        )
        # With its tags from the start: a process that is killed here leaves no version without a name.
        version = mlflow.register_model(
            logged.model_uri, registered_model, tags={**candidate.tags, **identity}
        )
    # Logging into a finished run would move its end to now; its duration is that of the training.
    store.client.set_terminated(run.info.run_id, run.info.status, run.info.end_time)
    return store.client.update_model_version(registered_model, version.version, candidate.description)


def _requirements() -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in _REQUIREMENTS]


def _signature(candidate: Candidate) -> ModelSignature:
    inputs = Schema([TensorSpec(np.dtype(np.uint8), (-1, *candidate.image_shape))])
    outputs = Schema([ColSpec(DataType.float, label) for label in candidate.labels])
    return ModelSignature(inputs=inputs, outputs=outputs)
