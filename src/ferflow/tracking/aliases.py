"""The aliases of a registered model: `champion`, the one before it, and who would like to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ferflow.tracking.versions import (
    MISSING,
    drop_tag,
    is_same_version,
    set_tags,
    version_with,
    versions_of,
)

CHAMPION: Final = "champion"
PREVIOUS: Final = "previous"
CHALLENGER: Final = "challenger"

#: The tags that tell a model from others. It may be packaged anew: with other versions of libraries, or newer
#: code around it.
SAME_MODEL: Final = ("fingerprint", "model_sha256")

#: Tags of versions. Why this one is, or is not, the champion; which version it took the place of; that a
#: person took the place from it, which no registration reverts; why a former champion was not promoted again.
RESULT: Final = "promotion.result"
PROMOTED: Final = "promoted"
NOT_PROMOTED: Final = "not promoted"
REASON: Final = "promotion.reason"
RULE: Final = "promotion.rule"
DIFFERENCE: Final = "promotion.val_macro_f1_difference"
REPLACED: Final = "promotion.replaced_version"
REPLACED_BY_HAND: Final = "promotion.rolled_back"
NOT_AGAIN: Final = "promotion.not_promoted_again"
#: A tag of a run whose model has no version: the file that its other `promotion.*` tags are about.
OF_MODEL: Final = "promotion.model_sha256"
#: The rule of a decision that stays with the champion, since nothing can be said about who is better.
UNDECIDED: Final = "cannot be compared"

_FIRST_LINE: Final = "A model of facial expressions: uint8 images in, one probability for each emotion out."
_DESCRIPTION: Final = (
    f"{_FIRST_LINE}\n\n"
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
    """Make a registered model if it is missing, and say what its aliases mean unless people describe it."""
    try:
        found = client.get_registered_model(name).description or ""
        if found != _DESCRIPTION and (not found or found.startswith(_FIRST_LINE)):
            client.update_registered_model(name, _DESCRIPTION)
    except MlflowException as error:
        if error.error_code not in MISSING:
            raise
        try:
            client.create_registered_model(name, description=_DESCRIPTION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # somebody else was faster
                raise


def is_same_model(a: ModelVersion, b: ModelVersion) -> bool:
    """Return whether two versions are one model that was packaged twice."""
    return all(key in a.tags and a.tags[key] == b.tags.get(key) for key in SAME_MODEL)


def promote(
    client: mlflow.MlflowClient,
    version: ModelVersion,
    decision: Decision,
    *,
    by_hand: bool = False,
    back: bool = False,
) -> None:
    """Make a version the champion, and the champion the previous one; under the lock of the registry.

    Each step leaves what a repetition brings to the same end.

    Args:
        client: Of the store.
        version: The new champion.
        decision: Why.
        by_hand: The former champion is marked, so that no registration puts it back.
        back: The version has the alias `previous`, which goes to the one whose place it once took.
    """
    name, number, tags = version.name, str(version.version), {**decision.tags(), NOT_AGAIN: ""}
    former = version_with(client, name, CHAMPION)
    if former is not None and not is_same_version(former, version):
        if by_hand:
            set_tags(client, former, {REPLACED_BY_HAND: f"to version {number}"})
        if not back and is_same_model(former, version):
            # Packaged anew: the one before it stays the one before it.
            tags[REPLACED] = former.tags.get(REPLACED, "")
        elif not back:
            tags[REPLACED] = str(former.version)
            client.set_registered_model_alias(name, PREVIOUS, str(former.version))
    set_tags(client, version, tags)
    client.set_registered_model_alias(name, CHAMPION, number)
    settle(client, name)


def refuse(
    client: mlflow.MlflowClient, version: ModelVersion, decision: Decision, *, challenger: bool
) -> None:
    """Say on a version why it is not promoted; it may be challenger. Under the lock of the registry."""
    # A former champion's tags go on to tell why it once was promoted.
    once = version.tags.get(RESULT) == PROMOTED
    set_tags(client, version, {NOT_AGAIN: decision.reason} if once else decision.tags())
    if challenger:
        client.set_registered_model_alias(version.name, CHALLENGER, str(version.version))


def settle(client: mlflow.MlflowClient, name: str) -> None:
    """Take from the champion what others have: it is neither before itself, nor its challenger, nor replaced.

    `previous` goes to the version whose place the champion took, if that is there and nobody took it away by
    hand.
    """
    champion = version_with(client, name, CHAMPION)
    if champion is None:
        return
    drop_tag(client, champion, REPLACED_BY_HAND)
    if is_same_version(champion, version_with(client, name, CHALLENGER)):
        client.delete_registered_model_alias(name, CHALLENGER)
    if is_same_version(champion, version_with(client, name, PREVIOUS)):
        earlier = _taken_place_of(client, champion)
        if earlier is None:
            client.delete_registered_model_alias(name, PREVIOUS)
        else:
            client.set_registered_model_alias(name, PREVIOUS, str(earlier.version))


def _taken_place_of(client: mlflow.MlflowClient, champion: ModelVersion) -> ModelVersion | None:
    number = champion.tags.get(REPLACED)
    for version in versions_of(client, champion.name, {}):
        if str(version.version) == number and not is_same_version(version, champion):
            return None if REPLACED_BY_HAND in version.tags else version
    return None
