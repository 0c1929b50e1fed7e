"""The model registry: one version for each model, and `champion` on the one that is best on validation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow.entities import Run, RunTag
from mlflow.entities.model_registry import ModelVersion
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from ferflow.params.promotion import PromotionParams
from ferflow.tracking import aliases
from ferflow.tracking.aliases import Decision
from ferflow.tracking.candidate import Candidate
from ferflow.tracking.judging import judge
from ferflow.tracking.logged_model import identity_of, log_candidate
from ferflow.tracking.registry_lock import registry_lock
from ferflow.tracking.store import Store, errors_in_one_line
from ferflow.tracking.version_files import is_loadable
from ferflow.tracking.versions import is_same_version, version_with, versions_of


@dataclass(frozen=True, slots=True)
class Registration:
    """What came of a candidate.

    Attributes:
        model: Its name in params.yaml.
        registered_model: Its name in the registry.
        version: Its version; None if it lost and losers are not registered.
        alias: What that version has become; None if it has got no alias.
        champion: The champion now; None if there is none, which only a person can bring about.
        decision: Whether the candidate is the champion, and why.
    """

    model: str
    registered_model: str
    version: ModelVersion | None
    alias: str | None
    champion: ModelVersion | None
    decision: Decision

    def __str__(self) -> str:
        """Return all of it in one line."""
        alias = f" @{self.alias}" if self.alias else ""
        name = self.registered_model
        place = f"{name} version {self.version.version}{alias}" if self.version else f"not put into {name}"
        line = f"{self.model} is {place}: {self.decision.reason}"
        if self.decision.promoted:
            return line
        if self.version and self.decision.rule == aliases.UNDECIDED:
            line += f"; `make promote VERSION={self.version.version}` chooses it by hand"
        if self.champion is None:
            return f"{line}; there is no champion"
        return f"{line}; version {self.champion.version} stays champion"


def register(
    store: Store, registered_model: str, run: Run, candidate: Candidate, promotion: PromotionParams
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

    Raises:
        FerflowError: The store does not work, or others hold the registry's lock.
    """
    client, identity = store.client, identity_of(candidate)
    logged: str | None = None
    with errors_in_one_line(store.uri):
        aliases.describe(client, registered_model)
        try:
            while True:
                seen = _seen(client, registered_model, identity)
                champion = version_with(client, registered_model, aliases.CHAMPION)
                known = _find_version(client, registered_model, identity, champion)
                decision = judge(client, registered_model, candidate, known, champion, promotion)
                challenger = promotion.challenger or decision.rule == aliases.UNDECIDED
                missing = known is None and (decision.promoted or challenger)
                if missing and logged is None:
                    logged = log_candidate(store, run, candidate)
                with registry_lock(client, registered_model) as require_lock:
                    if _seen(client, registered_model, identity) != seen:
                        continue  # somebody else was faster: judged anew, by what there is now
                    require_lock()
                    version = known
                    if missing and logged is not None:
                        version = _create_version(client, registered_model, run, candidate, identity, logged)
                    alias = _move_aliases(client, version, champion, decision, challenger=challenger)
                break
        finally:
            if logged is not None:
                _delete_unless_registered(client, registered_model, logged)
        if version is None:
            _note_on_run(client, run, identity, decision)
        champion = version_with(client, registered_model, aliases.CHAMPION)
        return Registration(candidate.name, registered_model, version, alias, champion, decision)


def _seen(
    client: mlflow.MlflowClient, registered_model: str, identity: Mapping[str, str]
) -> tuple[str, list[str]]:
    """Return what a decision depends on: which version is champion, and which are of an identity."""
    champion = version_with(client, registered_model, aliases.CHAMPION)
    known = [str(version.version) for version in versions_of(client, registered_model, identity)]
    return str(champion and champion.version), known


def _move_aliases(
    client: mlflow.MlflowClient,
    version: ModelVersion | None,
    champion: ModelVersion | None,
    decision: Decision,
    *,
    challenger: bool,
) -> str | None:
    """Return the alias that a candidate's version has got, if any."""
    if version is None:
        return None
    if is_same_version(version, champion):
        aliases.settle(client, version.name)
        return aliases.CHAMPION
    if decision.promoted:
        aliases.promote(client, version, decision)
        return aliases.CHAMPION
    aliases.refuse(client, version, decision, challenger=challenger)
    return aliases.CHALLENGER if challenger else None


def _find_version(
    client: mlflow.MlflowClient, name: str, identity: Mapping[str, str], champion: ModelVersion | None
) -> ModelVersion | None:
    """Return the version of an identity whose files are there: the champion's, else the newest.

    The champion, too, if it is a newer packaging of the same model: two environments that register in turns
    would take the alias from each other for ever.
    """
    known = versions_of(client, name, identity)
    known.sort(key=lambda version: is_same_version(version, champion), reverse=True)
    found = next((version for version in known if is_loadable(version)), None)
    if found is None or champion is None or not aliases.is_same_model(found, champion):
        return found
    return champion if int(champion.version) > int(found.version) and is_loadable(champion) else found


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


def _delete_unless_registered(client: mlflow.MlflowClient, name: str, model_id: str) -> None:
    """Delete what was logged in vain: another process was faster, or this one was interrupted."""
    if not any(version.source == f"models:/{model_id}" for version in versions_of(client, name, {})):
        client.delete_logged_model(model_id)


def _note_on_run(
    client: mlflow.MlflowClient, run: Run, identity: Mapping[str, str], decision: Decision
) -> None:
    """Say on its run why a model that has no version was not promoted."""
    tags = {**decision.tags(), aliases.OF_MODEL: identity["model_sha256"]}
    client.log_batch(run.info.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
