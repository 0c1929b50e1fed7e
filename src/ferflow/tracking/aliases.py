"""The aliases of a registered model: `champion`, the one before it, and who would like to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ferflow.tracking.versions import MISSING, drop_tag, set_tags, version_with

CHAMPION: Final = "champion"
PREVIOUS: Final = "previous"
CHALLENGER: Final = "challenger"

#: The tags that tell a model from others. It may be packaged anew: with other versions of libraries, or newer
#: code around it.
SAME_MODEL: Final = ("fingerprint", "model_sha256")

#: Tags of versions. Why this one is, or is not, the champion; which version it took the place of; and that a
#: person took the place from it, which no registration reverts.
RESULT: Final = "promotion.result"
PROMOTED: Final = "promoted"
NOT_PROMOTED: Final = "not promoted"
REASON: Final = "promotion.reason"
RULE: Final = "promotion.rule"
DIFFERENCE: Final = "promotion.val_macro_f1_difference"
REPLACED: Final = "promotion.replaced_version"
REPLACED_BY_HAND: Final = "promotion.rolled_back"

_DESCRIPTION: Final = (
    "A model of facial expressions: uint8 images in, one probability for each emotion out.\n\n"
    "* `champion`: the one to load. It moves by the rules under `promotion` in params.yaml, or by hand "
    "(`make promote`).\n"
    "* `previous`: the champion before it; `make rollback` makes it champion again.\n"
    "* `challenger`: the best model of the latest run that did not take the champion's place.\n\n"
    "The tags `promotion.*` of a version say why."
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a version becomes the champion, and why.

    Attributes:
        promoted: It does.
        reason: One sentence without its full stop, for people.
        rule: What decided: a rule as params.yaml says it, or a word for what came before the rules.
        difference: In macro-F1 on validation with its interval; empty if nothing was compared.
    """

    promoted: bool
    reason: str
    rule: str
    difference: str = ""

    def tags(self) -> dict[str, str]:
        """Return what the version's tags say of it."""
        result = PROMOTED if self.promoted else NOT_PROMOTED
        return {RESULT: result, REASON: self.reason, RULE: self.rule, DIFFERENCE: self.difference}


def describe(client: mlflow.MlflowClient, name: str) -> None:
    """Make a registered model if it is missing, and say what its aliases mean."""
    try:
        if client.get_registered_model(name).description != _DESCRIPTION:
            client.update_registered_model(name, _DESCRIPTION)
    except MlflowException as error:
        if error.error_code not in MISSING:
            raise
        try:
            client.create_registered_model(name, description=_DESCRIPTION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # somebody else was faster
                raise


def promote(client: mlflow.MlflowClient, version: ModelVersion, decision: Decision) -> None:
    """Make a version the champion, and the champion the previous one; under the lock of the registry.

    Each step leaves aliases that a repetition brings to the same end.
    """
    name, number = version.name, str(version.version)
    former = version_with(client, name, CHAMPION)
    tags = decision.tags()
    if former is not None and str(former.version) != number:
        tags[REPLACED] = str(former.version)
        set_tags(client, version, tags)
        client.set_registered_model_alias(name, PREVIOUS, str(former.version))
    else:
        set_tags(client, version, tags)
    drop_tag(client, version, REPLACED_BY_HAND)
    client.set_registered_model_alias(name, CHAMPION, number)
    settle(client, name)


def challenge(client: mlflow.MlflowClient, version: ModelVersion, decision: Decision) -> None:
    """Make a version that is not promoted the challenger; under the lock of the registry."""
    set_tags(client, version, decision.tags())
    client.set_registered_model_alias(version.name, CHALLENGER, str(version.version))


def restore(client: mlflow.MlflowClient, version: ModelVersion, former: ModelVersion | None, by: str) -> None:
    """Make a version champion by hand, and mark the former one so that no registration puts it back.

    `previous` is the caller's to set.

    Args:
        client: Of the store, whose registry is locked.
        version: The new champion.
        former: The champion until now.
        by: What a person did, for the tags.
    """
    tags = {RESULT: PROMOTED, REASON: by, RULE: "by hand", DIFFERENCE: ""}
    set_tags(client, version, tags)
    drop_tag(client, version, REPLACED_BY_HAND)
    if former is not None:
        set_tags(client, former, {REPLACED_BY_HAND: f"to version {version.version}"})
    client.set_registered_model_alias(version.name, CHAMPION, str(version.version))
    settle(client, version.name)


def settle(client: mlflow.MlflowClient, name: str) -> None:
    """Take from the champion every other alias: it is neither before itself nor its own challenger."""
    champion = version_with(client, name, CHAMPION)
    for alias in (PREVIOUS, CHALLENGER):
        other = version_with(client, name, alias)
        if champion is not None and other is not None and other.version == champion.version:
            client.delete_registered_model_alias(name, alias)
