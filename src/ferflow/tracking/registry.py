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

from ferflow.files import sha256_of_file
from ferflow.stage import heavy_imports
from ferflow.tracking.store import Store, errors_in_one_line

CHAMPION: Final = "champion"
#: What a registered model needs to be opened; pinned to the versions that made it.
_REQUIREMENTS: Final = ("keras", "mlflow", "numpy", "pandas", "tensorflow")


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
    identity = {"fingerprint": candidate.fingerprint, "model_sha256": sha256_of_file(candidate.file)}
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
    return next((version for version in versions if identity.items() <= version.tags.items()), None)


def _create_version(
    store: Store, registered_model: str, run: Run, candidate: Candidate, identity: Mapping[str, str]
) -> ModelVersion:
    # MLflow runs the model's code once, and with it loads TensorFlow.
    with heavy_imports(), tempfile.TemporaryDirectory() as folder, mlflow.start_run(run_id=run.info.run_id):
        labels = Path(folder) / "labels.json"
        labels.write_text(json.dumps(candidate.labels), encoding="utf-8")
        logged = mlflow.pyfunc.log_model(
            name=candidate.name,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"keras_model": str(candidate.file), "labels": str(labels)},
            signature=_signature(candidate),
            input_example=np.zeros((1, *candidate.image_shape), np.uint8),
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in _REQUIREMENTS],
            registered_model_name=registered_model,
        )
    # Logging into a finished run would move its end to now; its duration is that of the training.
    store.client.set_terminated(run.info.run_id, run.info.status, run.info.end_time)
    number = str(logged.registered_model_version)
    for key, value in {**candidate.tags, **identity}.items():
        store.client.set_model_version_tag(registered_model, number, key, value)
    return store.client.update_model_version(registered_model, number, candidate.description)


def _signature(candidate: Candidate) -> ModelSignature:
    inputs = Schema([TensorSpec(np.dtype(np.uint8), (-1, *candidate.image_shape))])
    outputs = Schema([ColSpec(DataType.float, label) for label in candidate.labels])
    return ModelSignature(inputs=inputs, outputs=outputs)
