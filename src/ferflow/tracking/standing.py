"""Who is champion, and where the best model of a run stands beside it: for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion

from ferflow.tracking import aliases
from ferflow.tracking.store import Store, errors_in_one_line
from ferflow.tracking.versions import version_with, versions_of


@dataclass(frozen=True, slots=True)
class Standing:
    """The registry in words.

    Attributes:
        champion: Its model and version; None if there is no champion.
        best: The best model of this run and why it is not champion; None if it is, or has no version.
        is_registered: The best model has a version.
    """

    champion: str | None
    best: str | None
    is_registered: bool


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
        if champion is None or not versions:
            return Standing(champion and _title(champion), None, bool(versions))
        is_champion = any(version.version == champion.version for version in versions)
        best = None if is_champion else _beside_the_champion(client, versions[0])
        return Standing(_title(champion), best, True)


def _beside_the_champion(client: mlflow.MlflowClient, version: ModelVersion) -> str:
    held = [
        f"'{alias}'"
        for alias in (aliases.CHALLENGER, aliases.PREVIOUS)
        if (other := version_with(client, version.name, alias)) and other.version == version.version
    ]
    known_as = f", alias {' and '.join(held)}" if held else ""
    # A former champion's tags tell why it once became champion.
    lost = version.tags.get(aliases.RESULT) == aliases.NOT_PROMOTED
    why = f": {version.tags[aliases.REASON]}" if lost and aliases.REASON in version.tags else ""
    if not why and aliases.REPLACED_BY_HAND in version.tags:
        why = ": it was replaced by hand"
    return f"{_title(version)}{known_as}{why}"


def _title(version: ModelVersion) -> str:
    return f"{version.tags.get('model', 'unknown')}: version {version.version} of '{version.name}'"
