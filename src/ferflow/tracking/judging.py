"""Whether a candidate takes the registered champion's place."""

from __future__ import annotations

import mlflow
from mlflow.entities.model_registry import ModelVersion

from ferflow.evaluation.promotion import Contender, decide
from ferflow.params.promotion import PromotionParams
from ferflow.tracking import aliases
from ferflow.tracking.aliases import Decision
from ferflow.tracking.answers import CannotCompareError, UnusableError, comparable_answers
from ferflow.tracking.candidate import Candidate, costs_of
from ferflow.tracking.logged_model import identity_of
from ferflow.tracking.versions import is_same_version, title, versions_of


def judge(
    client: mlflow.MlflowClient,
    registered_model: str,
    candidate: Candidate,
    known: ModelVersion | None,
    champion: ModelVersion | None,
    promotion: PromotionParams,
) -> Decision:
    """Return whether a candidate becomes the champion.

    Args:
        client: Of the store.
        registered_model: Its name in the registry.
        candidate: The best model of a leaderboard.
        known: Its version, if it has one.
        champion: The champion, if there is one; its kept answers may be read.
        promotion: The rules.

    Raises:
        MlflowException, OSError: The store cannot be read.
    """
    if is_same_version(known, champion):
        return Decision(True, "it is the champion already", "champion")
    identity = identity_of(candidate)
    same = champion is not None and all(champion.tags.get(key) == identity[key] for key in aliases.SAME_MODEL)
    # Where the champion is the same model, a person may have gone back to an earlier packaging of it. Else
    # the weights count: a training with another fingerprint can end with the same.
    weights = {"model_sha256": identity["model_sha256"]}
    for version in [known] if same else versions_of(client, registered_model, weights):
        if version is not None and aliases.REPLACED_BY_HAND in version.tags:
            reason = (
                f"version {version.version} was replaced by hand: `make promote VERSION={version.version}`"
            )
            return Decision(False, reason, "by hand")
    if champion is None:
        return Decision(True, "there was no champion", "no champion")
    if same:
        return Decision(True, f"the same model as version {champion.version}, packaged anew", "same model")
    return _compare(candidate, champion, promotion)


def _compare(candidate: Candidate, champion: ModelVersion, promotion: PromotionParams) -> Decision:
    ours = candidate.contender.answers
    try:
        theirs = comparable_answers(champion, ours, candidate.image_shape)
    except UnusableError as error:
        return Decision(True, f"{title(champion)} cannot be used: {error}", "champion cannot be used")
    except CannotCompareError as error:
        return Decision(False, f"{title(champion)} cannot be compared: {error}", aliases.UNDECIDED)
    ours = ours[ours["sample_id"].isin(theirs["sample_id"])]
    verdict = decide(
        promotion.rules,
        Contender(ours, candidate.contender.costs),
        Contender(theirs, costs_of(champion.tags)),
    )
    low, high = verdict.difference.low, verdict.difference.high
    difference = f"{verdict.difference.value:+.4f} (95 % interval {low:+.4f} to {high:+.4f})"
    reason = (
        f"val macro-F1 {verdict.candidate:.4f} against {verdict.champion:.4f} of {title(champion)}, "
        f"{difference}"
    )
    if len(ours) < len(candidate.contender.answers):
        reason += (
            f", on the {len(ours)} of {len(candidate.contender.answers)} images that both were chosen on"
        )
    if verdict.rule is None:
        return Decision(False, reason, "; ".join(map(str, promotion.rules)), difference)
    return Decision(True, reason, verdict.rule, difference)
