"""Ensembles in tables: who votes, what the vote says, and what it is made of. No network is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ferflow.errors import FerflowError
from ferflow.evaluation.model_info import ModelInfo
from ferflow.evaluation.outcomes import Outcomes
from ferflow.evaluation.selection import FOLDS, fold_numbers, greedy_selection, selection_by_fold
from ferflow.evaluation.voting import soft_vote
from ferflow.files import read_json, sha256_of_json
from ferflow.labels import label_index
from ferflow.params import EnsembleParams

#: How much each model's probabilities weigh.
Weights = dict[str, Annotated[float, Field(gt=0)]]

#: The architecture of an ensemble, where models have a module of `ferflow.models`.
ENSEMBLE: Final = "ensemble"
#: What a member's training.json says of the member alone.
_OF_A_MEMBER: Final = {"fingerprint", "model", "architecture", "recipe"}
#: What an ensemble cannot be described without.
_NEEDED: Final = {"fingerprint", "data_sha256", "device", "precision"}


def _none_or_one_a_fold(weights: list[Weights]) -> list[Weights]:
    if len(weights) not in {0, FOLDS}:
        raise ValueError(f"{FOLDS} folds, or none, each with its weights (found {len(weights)})")
    return weights


class Members(BaseModel):
    """Who votes in an ensemble.

    Args:
        weights: The members.
        weights_by_fold: Of a greedy ensemble, what is chosen without each fold of the validation split: its
            samples are predicted by these.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Annotated[Weights, Field(min_length=1)]
    weights_by_fold: Annotated[list[Weights], AfterValidator(_none_or_one_a_fold)] = Field(
        default_factory=list
    )

    @property
    def names(self) -> list[str]:
        """All that are asked, sorted: the members, and who is chosen without a fold."""
        return sorted({name for weights in (self.weights, *self.weights_by_fold) for name in weights})


def choose_members(params: EnsembleParams, val: Mapping[str, Outcomes]) -> Members:
    """Return the members of an ensemble.

    Args:
        params: How they are chosen.
        val: The outcomes of all models on the validation split, by name.

    Raises:
        FerflowError: The models were not measured on the same samples and labels.
    """
    if params.greedy is None:
        return Members(weights=dict.fromkeys(sorted(params.members or ()), 1.0))
    candidates = {name: val[name] for name in sorted(params.candidates() or val)}
    rounds = params.greedy.rounds
    return Members.model_validate(
        {
            "weights": greedy_selection(candidates, rounds),
            "weights_by_fold": selection_by_fold(candidates, rounds),
        }
    )


def read_members(path: Path, name: str) -> Members:
    """Return the members of one ensemble from a members.json.

    Raises:
        FerflowError: The file is missing, or does not have them.
    """
    try:
        return TypeAdapter(dict[str, Members]).validate_python(read_json(path))[name]
    except (ValidationError, KeyError):
        raise FerflowError(
            f"{path} does not say who votes in {name}: delete it and run `dvc repro`."
        ) from None


def vote(members: Members, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the predictions table of an ensemble.

    Args:
        members: Who votes.
        tables: The predictions tables of `members.names`, of all evaluated splits.

    Raises:
        FerflowError: The members did not predict the same samples under the same labels.
    """
    table = _vote_of(members.weights, tables)
    chooses = np.flatnonzero(table["split"] == "val")
    folds = fold_numbers(table["label"].iloc[chooses].map(label_index).to_numpy(np.intp))
    for fold, weights in enumerate(members.weights_by_fold):
        rows = chooses[folds == fold]
        table.iloc[rows] = _vote_of(weights, tables).iloc[rows]
    return table


def describe(name: str, members: Members, trainings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an ensemble's training.json: its members in place of a recipe, and what their trainings share.

    Args:
        name: Its name in params.yaml.
        members: Who votes.
        trainings: The training.json of each member.

    Raises:
        FerflowError: They were trained on different data, or what is said of one is not complete.
    """
    weights = dict(sorted(members.weights.items()))
    of_members = [trainings[each] for each in weights]
    for each, training in zip(weights, of_members, strict=True):
        if _NEEDED - training.keys():
            raise FerflowError(f"the training.json of {each} is not complete: delete it and run `dvc repro`.")
    first = of_members[0]
    if any(training["data_sha256"] != first["data_sha256"] for training in of_members):
        raise FerflowError(f"the members of {name} were trained on different data: run `dvc repro`.")
    shared = {
        key: value
        for key, value in first.items()
        if key not in _OF_A_MEMBER and all(training.get(key) == value for training in of_members)
    }
    for key in ("device", "precision"):
        shared[key] = " and ".join(sorted({training[key] for training in of_members}))
    facts = {
        "model": name,
        "architecture": ENSEMBLE,
        "recipe": {"members": weights, "chosen_on_validation": bool(members.weights_by_fold)},
        "member_fingerprints": {each: trainings[each]["fingerprint"] for each in weights},
    }
    return {"fingerprint": sha256_of_json(facts), **facts, **shared}


def info_of(training: Mapping[str, Any], members: Mapping[str, ModelInfo]) -> ModelInfo:
    """Return what the report says of an ensemble itself: its members' figures, added up.

    Args:
        training: From `describe`.
        members: What the reports say of its members.
    """
    weights = training["recipe"]["members"]
    of_members = [members[each] for each in weights]
    flops = [each.flops for each in of_members if each.flops is not None]
    file_bytes = [each.file_bytes for each in of_members if each.file_bytes is not None]
    return ModelInfo(
        model=training["model"],
        architecture=training["architecture"],
        parameters=sum(each.parameters for each in of_members),
        trainable_parameters=sum(each.trainable_parameters for each in of_members),
        epochs=sum(each.epochs for each in of_members),
        precision=training["precision"],
        fingerprint=training["fingerprint"],
        input_size=max(each.input_size for each in of_members),
        flops=sum(flops) if len(flops) == len(of_members) else None,
        file_bytes=sum(file_bytes) if len(file_bytes) == len(of_members) else None,
        evaluate=of_members[0].evaluate,
        members=weights,
        cross_fitted=training["recipe"]["chosen_on_validation"],
    )


def _vote_of(weights: Weights, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return soft_vote({name: tables[name] for name in weights}, weights)
