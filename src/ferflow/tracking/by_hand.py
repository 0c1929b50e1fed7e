"""What people do to the champion by hand; no later registration reverts it."""

from __future__ import annotations

import mlflow
from mlflow.entities.model_registry import ModelVersion

from ferflow.errors import FerflowError
from ferflow.tracking import aliases
from ferflow.tracking.registry_lock import registry_lock
from ferflow.tracking.store import Store, errors_in_one_line
from ferflow.tracking.versions import (
    drop_tag,
    is_loadable,
    set_tags,
    version_of_number,
    version_with,
    versions_of,
)


def roll_back(store: Store, registered_model: str) -> str:
    """Make the previous champion champion again; return in one line what was done.

    `previous` is then what that one had taken the place of, if it is there and nobody rolled back from it.

    Raises:
        FerflowError: There is no previous champion, its files are gone, or the store does not work.
    """
    client = store.client
    with errors_in_one_line(store.uri), registry_lock(client, registered_model):
        former = version_with(client, registered_model, aliases.CHAMPION)
        version = version_with(client, registered_model, aliases.PREVIOUS)
        if version is None:
            raise FerflowError(
                f"'{registered_model}' has no version with the alias 'previous': there is nothing to roll "
                "back to. `make promote VERSION=<number>` chooses any version."
            )
        _require_loadable(version)
        earlier = _taken_place_of(client, version, former)
        aliases.restore(client, version, former, "rolled back to by hand")
        if earlier is not None:
            client.set_registered_model_alias(registered_model, aliases.PREVIOUS, str(earlier.version))
        return _words(version, former, earlier)


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
    with errors_in_one_line(store.uri), registry_lock(client, registered_model):
        version = version_of_number(client, registered_model, number)
        if version is None:
            known = [str(each.version) for each in reversed(versions_of(client, registered_model, {}))]
            there_are = f"there are {', '.join(known[-20:])}" if known else "it has none: run `make register`"
            raise FerflowError(f"'{registered_model}' has no version '{number}'; {there_are}.")
        _require_loadable(version)
        for relative in _packagings(client, version):
            drop_tag(client, relative, aliases.REPLACED_BY_HAND)
        former = version_with(client, registered_model, aliases.CHAMPION)
        if former is not None and former.version == version.version:
            return f"{_title(version)} of '{registered_model}' is the champion already"
        if former is not None:
            set_tags(client, version, {aliases.REPLACED: str(former.version)})
            client.set_registered_model_alias(registered_model, aliases.PREVIOUS, str(former.version))
        aliases.restore(client, version, former, "promoted by hand")
        return _words(version, former, former)


def _taken_place_of(
    client: mlflow.MlflowClient, version: ModelVersion, former: ModelVersion | None
) -> ModelVersion | None:
    """Return the version that was champion before `version`, unless it is no longer to be one."""
    number = version.tags.get(aliases.REPLACED)
    earlier = version_of_number(client, version.name, number) if number else None
    if earlier is None or aliases.REPLACED_BY_HAND in earlier.tags:
        return None
    return None if former is not None and earlier.version == former.version else earlier


def _require_loadable(version: ModelVersion) -> None:
    if not is_loadable(version):
        raise FerflowError(
            f"{_title(version)} of '{version.name}' cannot be loaded, its files are gone: nothing "
            "was changed. `make promote VERSION=<number>` chooses another version."
        )


def _packagings(client: mlflow.MlflowClient, version: ModelVersion) -> list[ModelVersion]:
    """Return all versions of the model that a version is of, it among them."""
    model = {key: version.tags[key] for key in aliases.SAME_MODEL if key in version.tags}
    # A version that somebody made without our tags has no relatives that are known.
    complete = len(model) == len(aliases.SAME_MODEL)
    return versions_of(client, version.name, model) if complete else [version]


def _words(version: ModelVersion, former: ModelVersion | None, previous: ModelVersion | None) -> str:
    instead = f" instead of {_title(former)}" if former else ""
    before = f"'previous' is {_title(previous)}" if previous else "there is no 'previous' any more"
    return f"{_title(version)} of '{version.name}' is champion{instead}; {before}"


def _title(version: ModelVersion) -> str:
    return f"version {version.version} ({version.tags.get('model', 'unknown')})"
