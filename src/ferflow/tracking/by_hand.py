"""What people do to the champion by hand; no later registration reverts it."""

from __future__ import annotations

import mlflow
from mlflow.entities.model_registry import ModelVersion

from ferflow.errors import FerflowError
from ferflow.tracking import aliases
from ferflow.tracking.aliases import Decision
from ferflow.tracking.registry_lock import registry_lock
from ferflow.tracking.store import Store, errors_in_one_line
from ferflow.tracking.version_files import is_loadable
from ferflow.tracking.versions import drop_tag, is_same_version, title, version_with, versions_of


def roll_back(store: Store, registered_model: str) -> str:
    """Make the previous champion champion again; return in one line what was done.

    `previous` is then what that one had taken the place of, if it is there and nobody rolled back from it. A
    rollback that was cut short is finished, and goes no further back.

    Raises:
        FerflowError: There is no previous champion, its files are gone, or the store does not work.
    """
    client = store.client
    with errors_in_one_line(store.uri), registry_lock(client, registered_model) as require_lock:
        former = version_with(client, registered_model, aliases.CHAMPION)
        version = version_with(client, registered_model, aliases.PREVIOUS)
        if version is None:
            raise FerflowError(
                f"'{registered_model}' has no version with the alias 'previous': there is nothing to roll "
                "back to. `make promote VERSION=<number>` chooses any version."
            )
        _require_loadable(version)
        require_lock()
        aliases.promote(client, version, _decision("rolled back to by hand"), by_hand=True, back=True)
        return _words(client, version, former)


def promote_by_hand(store: Store, registered_model: str, number: str) -> str:
    """Make a version the champion, whatever the rules say; return in one line what was done.

    Args:
        store: An open store.
        registered_model: Its name in the registry.
        number: Of the version.

    Raises:
        FerflowError: There is no such version, its files are gone, or the store does not work.
    """
    client = store.client
    with errors_in_one_line(store.uri), registry_lock(client, registered_model) as require_lock:
        listed = {str(version.version): version for version in versions_of(client, registered_model, {})}
        version = listed.get(number)
        if version is None:
            known = ", ".join([*reversed(listed)][-20:])
            there_are = f"there are {known}" if known else "it has none: run `make register`"
            raise FerflowError(f"'{registered_model}' has no version '{number}'; {there_are}.")
        _require_loadable(version)
        require_lock()
        for relative in _of_same_weights(client, version):
            drop_tag(client, relative, aliases.REPLACED_BY_HAND)
        former = version_with(client, registered_model, aliases.CHAMPION)
        if is_same_version(former, version):
            aliases.settle(client, registered_model)
            return f"{title(version)} of '{registered_model}' is the champion already"
        aliases.promote(client, version, _decision("promoted by hand"), by_hand=True)
        return _words(client, version, former)


def _decision(reason: str) -> Decision:
    return Decision(True, reason, "by hand")


def _require_loadable(version: ModelVersion) -> None:
    if not is_loadable(version):
        raise FerflowError(
            f"{title(version)} of '{version.name}' cannot be loaded, its files are gone: nothing "
            "was changed. `make promote VERSION=<number>` chooses another version."
        )


def _of_same_weights(client: mlflow.MlflowClient, version: ModelVersion) -> list[ModelVersion]:
    # A version that somebody made without our tags has no relatives that are known.
    if "model_sha256" not in version.tags:
        return [version]
    return versions_of(client, version.name, {"model_sha256": version.tags["model_sha256"]})


def _words(client: mlflow.MlflowClient, version: ModelVersion, former: ModelVersion | None) -> str:
    moved = former is not None and not is_same_version(former, version)
    instead = f" instead of {title(former)}" if former and moved else ""
    previous = version_with(client, version.name, aliases.PREVIOUS)
    before = f"'previous' is {title(previous)}" if previous else "there is no 'previous' any more"
    return f"{title(version)} of '{version.name}' is champion{instead}; {before}"
