"""params.yaml as frozen, strict models: a typo fails at load, with the key and a remedy.

The two switches, `dataset` and `budget`, choose among the entries below them. A model's recipe is
written in two parts: what both budgets share (`recipe`), and what differs (`quick`, `full`). No
value may stand in both, so that an override on the command line never has a silent twin.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ferflow.errors import FerflowError
from ferflow.params.architectures import check_options
from ferflow.params.base import Name, Strict
from ferflow.params.data import DatasetParams, IngestParams, LayoutParams, Limit, SplitParams, ValidateParams
from ferflow.params.evaluation import EnsembleParams, EvaluateParams, RobustnessParams
from ferflow.params.explain import did_you_mean, explain, one_line
from ferflow.params.gate import GateParams
from ferflow.params.promotion import PromotionParams
from ferflow.params.training import (
    AugmentParams,
    EarlyStoppingParams,
    PhaseParams,
    PlateauParams,
    Recipe,
    TrainingParams,
)

__all__ = [
    "AugmentParams",
    "Budget",
    "DatasetParams",
    "EarlyStoppingParams",
    "EnsembleParams",
    "EvaluateParams",
    "GateParams",
    "IngestParams",
    "LayoutParams",
    "Limit",
    "ModelParams",
    "Params",
    "PhaseParams",
    "PlateauParams",
    "PromotionParams",
    "Recipe",
    "RobustnessParams",
    "SplitParams",
    "TrainingParams",
    "ValidateParams",
    "load_params",
]

Budget = Literal["quick", "full"]


class ModelParams(Strict):
    """A model: its architecture (a module of `ferflow.models`) and its recipe in both budgets."""

    architecture: Name
    recipe: dict[str, Any]
    quick: dict[str, Any]
    full: dict[str, Any]


class Params(Strict):
    """The whole of params.yaml."""

    dataset: str
    budget: Budget
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    datasets: dict[str, DatasetParams]
    ingest: IngestParams
    validate_: ValidateParams = Field(alias="validate")
    split: SplitParams
    training: TrainingParams
    evaluate: EvaluateParams
    robustness: RobustnessParams
    gate: GateParams
    promotion: PromotionParams
    models: Annotated[dict[Name, ModelParams], Field(min_length=1)]
    ensembles: dict[Name, EnsembleParams]

    @model_validator(mode="after")
    def _dataset_exists(self) -> Params:
        if self.dataset not in self.datasets:
            raise ValueError(
                f"dataset: '{self.dataset}' is not one of {', '.join(self.datasets)}"
                f"{did_you_mean(self.dataset, self.datasets)}"
            )
        return self

    @model_validator(mode="after")
    def _ensembles_are_of_models(self) -> Params:
        for name, ensemble in self.ensembles.items():
            if name in self.models:
                raise ValueError(f"ensembles.{name}: there is a model of this name; choose another one")
            for member in ensemble.candidates() or ():
                if member not in self.models:
                    raise ValueError(
                        f"ensembles.{name}: there is no model '{member}'; there are "
                        f"{', '.join(self.models)}{did_you_mean(member, self.models)}"
                    )
        return self

    @property
    def source(self) -> DatasetParams:
        """The data set that the `dataset` switch chooses."""
        return self.datasets[self.dataset]

    def recipe(self, model: str, budget: Budget | None = None) -> Recipe:
        """Return a model's complete recipe under `budget` (default: the `budget` switch).

        Raises:
            FerflowError: There is no such model, its two parts do not make a valid recipe, or its
                architecture does not exist or does not take its options.
        """
        if model not in self.models:
            raise FerflowError(
                f"params.yaml: models.{model} does not exist; there are {', '.join(self.models)}."
            )
        budget = budget or self.budget
        entry = self.models[model]
        where = self.where(model, budget)
        merged = _merge(entry.recipe, getattr(entry, budget), f"models.{model}", budget)
        try:
            recipe = Recipe.model_validate(merged)
        except ValidationError as error:
            raise FerflowError(explain(error, f"{where}: ")) from None
        check_options(entry.architecture, recipe.options, where)
        return recipe

    def where(self, model: str, budget: Budget | None = None) -> str:
        """Return what messages call a model's recipe under `budget` (default: the `budget` switch)."""
        return f"models.{model} ({budget or self.budget} budget)"


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Return the validated content of params.yaml, every model's recipe in both budgets included.

    Raises:
        FerflowError: The file is missing, is not YAML, or a key is unknown, missing or out of its
            range; the message names each such key on one line.
    """
    try:
        # YAML 1.2, like DVC: 1e-3 is a number here, where PyYAML would read a word.
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FerflowError(f"{path} is missing: run from the root of the project.") from None
    except MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise FerflowError(f"{path}:{line} not valid YAML ({one_line(error.problem)}).") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise FerflowError(f"{path}: not valid YAML ({one_line(error)}).") from None
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise FerflowError(explain(error)) from None
    for model in params.models:
        for budget in ("quick", "full"):
            params.recipe(model, budget)
    return params


def _merge(shared: dict[str, Any], own: dict[str, Any], where: str, budget: str) -> dict[str, Any]:
    """Return both mappings as one, to any depth; a value that stands in both is an error."""
    merged = dict(shared)
    for key, value in own.items():
        if key not in merged:
            merged[key] = value
        elif isinstance(value, dict) and isinstance(merged[key], dict):
            merged[key] = _merge(merged[key], value, f"{where}.{key}", budget)
        else:
            raise FerflowError(
                f"params.yaml: {where}: '{key}' stands both in `recipe` and in `{budget}`; keep one."
            )
    return merged
