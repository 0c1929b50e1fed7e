"""Versions of a registered model: found by alias or tags, named and tagged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ferflow.tracking.store import quoted

#: As the store says that there is no such model, version or alias.
MISSING: Final = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


def version_with(client: mlflow.MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """Return the version that has an alias, or None if there is none."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in MISSING:
            return None
        raise


def versions_of(client: mlflow.MlflowClient, name: str, tags: Mapping[str, str]) -> list[ModelVersion]:
    """Return the versions of a registered model that have these tags, the newest first."""
    query = [f"name = {quoted(name)}", *(f"tags.{key} = {quoted(value)}" for key, value in tags.items())]
    found = client.search_model_versions(" and ".join(query))
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def is_same_version(a: ModelVersion | None, b: ModelVersion | None) -> bool:
    """Return whether both are there, and the same version of one registered model."""
    return a is not None and b is not None and int(a.version) == int(b.version)


def title(version: ModelVersion) -> str:
    """Return a version's number and the name of its model, for people."""
    return f"version {version.version} ({version.tags.get('model', 'unknown')})"


def set_tags(client: mlflow.MlflowClient, version: ModelVersion, tags: Mapping[str, str]) -> None:
    """Set those tags of a version that are other than they should be; empty ones are deleted."""
    for key, value in tags.items():
        if not value:
            drop_tag(client, version, key)
        elif version.tags.get(key) != value:
            client.set_model_version_tag(version.name, str(version.version), key, value)


def drop_tag(client: mlflow.MlflowClient, version: ModelVersion, key: str) -> None:
    """Delete a tag of a version if it has it."""
    if key in version.tags:
        client.delete_model_version_tag(version.name, str(version.version), key)
