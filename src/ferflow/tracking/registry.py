"""The model registry: one version for each model, and `champion` on the one that is best on validation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from ferflow.evaluation.promotion import Contender, decide
from ferflow.params.promotion import PromotionParams
from ferflow.tracking import aliases
from ferflow.tracking.aliases import Decision
from ferflow.tracking.answers import CannotCompareError, validation_answers
from ferflow.tracking.candidate import Candidate, ValidationSplit, costs_of
from ferflow.tracking.logged_model import identity_of, log_candidate
from ferflow.tracking.registry_lock import registry_lock
from ferflow.tracking.store import Store, errors_in_one_line
from ferflow.tracking.versions import is_loadable, version_with, versions_of


@dataclass(frozen=True, slots=True)
class Registration:
    """What came of a candidate.

    Attributes:
        model: Its name in params.yaml.
        registered_model: Its name in the registry.
        version: Its version; None if it lost and losers are not registered.
        champion: The champion now; None if there is none, which only a person can bring about.
        decision: Whether the candidate is the champion, and why.
    """

    model: str
    registered_model: str
    version: ModelVersion | None
    champion: ModelVersion | None
    decision: Decision

    def __str__(self) -> str:
        """Return all of it in one line."""
        alias = aliases.CHAMPION if self.decision.promoted else aliases.CHALLENGER
        name = self.registered_model
        place = f"{name} version {self.version.version} @{alias}" if self.version else f"not put into {name}"
        stays = (
            "there is no champion"
            if self.champion is None
            else f"version {self.champion.version} stays champion"
        )
        return f"{self.model} is {place}: {self.decision.reason}" + (
            "" if self.decision.promoted else f"; {stays}"
        )


def register(
    store: Store,
    registered_model: str,
    run: Run,
    candidate: Candidate,
    promotion: PromotionParams,
    validation: ValidationSplit,
) -> Registration:
    """Register a candidate, and make it champion if the rules say so; else it may be challenger.

    Registering the same model twice adds no version: it is known by fingerprint and file content. Any number
    of processes may register at once: what takes long is done before, what moves aliases under a lock.

    Args:
        store: An open store.
        registered_model: Its name in the registry; made if it is missing.
        run: The finished run of the candidate's training.
        candidate: The best model of a leaderboard.
        promotion: The rules.
        validation: The split on which it is compared with the champion.

    Raises:
        FerflowError: The store does not work, or others hold the registry's lock.
    """
    client, identity = store.client, identity_of(candidate)
    logged: str | None = None
    with errors_in_one_line(store.uri):
        aliases.describe(client, registered_model)
        while True:
            champion = version_with(client, registered_model, aliases.CHAMPION)
            known = _find_version(client, registered_model, identity, champion)
            decision = _decide(client, registered_model, candidate, known, champion, promotion, validation)
            wanted = decision.promoted or promotion.challenger
            if wanted and known is None and logged is None:
                logged = log_candidate(store, run, candidate)
            with registry_lock(client, registered_model):
                now = version_with(client, registered_model, aliases.CHAMPION)
                if _number(now) != _number(champion):
                    continue  # somebody else was faster: judged by another champion
                version = _find_version(client, registered_model, identity, now)
                if version is None and wanted:
                    if logged is None:
                        continue  # what was known is gone: it is logged now
                    version = _create_version(client, registered_model, run, candidate, identity, logged)
                    logged = None
                if version is not None:
                    _move_aliases(client, version, now, decision, challenger=promotion.challenger)
                break
        if logged is not None:
            client.delete_logged_model(logged)  # another process has registered the same model meanwhile
        champion = version_with(client, registered_model, aliases.CHAMPION)
        return Registration(candidate.name, registered_model, version, champion, decision)


def registered_champion(store: Store, registered_model: str) -> ModelVersion | None:
    """Return the version that has the alias `champion`, or None if there is none.

    Raises:
        FerflowError: The store does not work.
    """
    with errors_in_one_line(store.uri):
        return version_with(store.client, registered_model, aliases.CHAMPION)


def _decide(
    client: mlflow.MlflowClient,
    registered_model: str,
    candidate: Candidate,
    known: ModelVersion | None,
    champion: ModelVersion | None,
    promotion: PromotionParams,
    validation: ValidationSplit,
) -> Decision:
    """Return whether a candidate becomes the champion; the champion may be asked for its answers."""
    if known is not None and champion is not None and known.version == champion.version:
        return Decision(True, "it is the champion already", "champion")
    identity = identity_of(candidate)
    same = champion is not None and all(champion.tags.get(key) == identity[key] for key in aliases.SAME_MODEL)
    # Where the champion is the same model, a person may have gone back to an earlier packaging of it.
    relatives = (
        [known]
        if same
        else versions_of(client, registered_model, {k: identity[k] for k in aliases.SAME_MODEL})
    )
    for version in relatives:
        if version is not None and aliases.REPLACED_BY_HAND in version.tags:
            reason = (
                f"version {version.version} was replaced by hand: `make promote VERSION={version.version}`"
            )
            return Decision(False, reason, "by hand")
    if champion is None:
        return Decision(True, "there was no champion", "no champion")
    if same:
        return Decision(True, f"the same model as version {champion.version}, packaged anew", "same model")
    return _compare(candidate, champion, promotion, validation)


def _compare(
    candidate: Candidate, champion: ModelVersion, promotion: PromotionParams, validation: ValidationSplit
) -> Decision:
    title = f"version {champion.version} ({champion.tags.get('model', 'unknown')})"
    try:
        answers = validation_answers(champion, validation)
    except CannotCompareError as error:
        return Decision(True, f"{title} cannot be compared: {error}", "champion cannot be compared")
    verdict = decide(promotion.rules, candidate.contender, Contender(answers, costs_of(champion.tags)))
    low, high = verdict.difference.low, verdict.difference.high
    difference = f"{verdict.difference.value:+.4f} (95 % interval {low:+.4f} to {high:+.4f})"
    reason = f"val macro-F1 {verdict.candidate:.4f} against {verdict.champion:.4f} of {title}, {difference}"
    if verdict.rule is None:
        return Decision(False, reason, "; ".join(map(str, promotion.rules)), difference)
    return Decision(True, reason, verdict.rule, difference)


def _move_aliases(
    client: mlflow.MlflowClient,
    version: ModelVersion,
    champion: ModelVersion | None,
    decision: Decision,
    *,
    challenger: bool,
) -> None:
    if champion is not None and version.version == champion.version:
        aliases.settle(client, version.name)
    elif decision.promoted:
        aliases.promote(client, version, decision)
    elif challenger:
        aliases.challenge(client, version, decision)


def _find_version(
    client: mlflow.MlflowClient, name: str, identity: Mapping[str, str], champion: ModelVersion | None
) -> ModelVersion | None:
    """Return the version of an identity whose files are there: the champion's, else the newest."""
    known = versions_of(client, name, identity)
    known.sort(key=lambda version: _number(version) == _number(champion), reverse=True)
    return next((version for version in known if is_loadable(version)), None)


def _create_version(
    client: mlflow.MlflowClient,
    name: str,
    run: Run,
    candidate: Candidate,
    identity: Mapping[str, str],
    model_id: str,
) -> ModelVersion:
    commit = {key: run.data.tags[key] for key in ("git_commit", "git_dirty") if key in run.data.tags}
    # With its tags from the start: a process that is killed here leaves no version without a name.
    version = client.create_model_version(
        name,
        f"models:/{model_id}",
        run.info.run_id,
        tags={**candidate.tags, **commit, **identity},
        description=candidate.description,
        model_id=model_id,
    )
    # What MLflow's own function does; that one talks on stderr.
    link = json.dumps([{"name": name, "version": version.version}])
    client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: link})
    return version


def _number(version: ModelVersion | None) -> str | None:
    return None if version is None else str(version.version)
