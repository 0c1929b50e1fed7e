"""Who is champion, and where the best model of a run stands beside it: for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion

from ferflow.tracking import aliases
from ferflow.tracking.store import Store, errors_in_one_line, quoted
from ferflow.tracking.versions import version_with, versions_of


@dataclass(frozen=True, slots=True)
class Standing:
    """The registry in words.

    Attributes:
        champion: Its model and version; None if there is no champion.
        best: The best model of this run and why it is not champion; None if it is, or was not put forward.
        was_put_forward: The best model has a version, or its run tells why it has none.
    """

    champion: str | None
    best: str | None
    was_put_forward: bool


def standing(store: Store, winner: Mapping[str, Any]) -> Standing:
    """Return how the registry stands to the best model of a leaderboard.

    Args:
        store: An open store.
        winner: What the register stage wrote of it: the content of champion.json.

    Raises:
        FerflowError: The store does not work.
    """
    client, name = store.client, winner["registered_model"]
    # Of the same training there may be several models: one for each choice of views at evaluation.
    model = {key: winner[key] for key in aliases.SAME_MODEL}
    with errors_in_one_line(store.uri):
        champion = version_with(client, name, aliases.CHAMPION)
        versions = versions_of(client, name, model)
        best = _beside_the_champion(client, versions[0]) if versions else _without_version(store, winner)
        if champion is None:
            return Standing(None, None, best is not None)
        is_champion = any(version.version == champion.version for version in versions)
        return Standing(_in_full(champion), None if is_champion else best, best is not None)


def _beside_the_champion(client: mlflow.MlflowClient, version: ModelVersion) -> str:
    held = [
        f"'{alias}'"
        for alias in (aliases.CHALLENGER, aliases.PREVIOUS)
        if (other := version_with(client, version.name, alias)) and other.version == version.version
    ]
    known_as = f", alias {' and '.join(held)}" if held else ""
    lost = version.tags.get(aliases.RESULT) == aliases.NOT_PROMOTED
    reason = version.tags.get(aliases.REASON if lost else aliases.NOT_AGAIN)
    if aliases.REPLACED_BY_HAND in version.tags:
        reason = "it was replaced by hand"
    return f"{_in_full(version)}{known_as}{f': {reason}' if reason else ''}"


def _without_version(store: Store, winner: Mapping[str, Any]) -> str | None:
    """Return what its run tells of a model that was put forward and has no version; None if it was not."""
    query = (
        f"tags.fingerprint = {quoted(winner['fingerprint'])} "
        f"and tags.`{aliases.OF_MODEL}` = {quoted(winner['model_sha256'])}"
    )
    for run in store.client.search_runs([store.experiment_id], query, max_results=1):
        name, reason = winner["registered_model"], run.data.tags.get(aliases.REASON, "")
        return f"{winner['model']}, which was not put into '{name}': {reason}"
    return None


def _in_full(version: ModelVersion) -> str:
    return f"{version.tags.get('model', 'unknown')}: version {version.version} of '{version.name}'"
