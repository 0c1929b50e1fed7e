"""params.yaml as frozen, strict models: a typo fails at load, with the key and a remedy.

The two switches, `dataset` and `budget`, choose among the entries below them. A model's recipe is
written in two parts: what both budgets share (`recipe`), and what differs (`quick`, `full`). No
value may stand in both, so that an override on the command line never has a silent twin.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ferflow.errors import FerflowError
from ferflow.params.base import Strict
from ferflow.params.data import DatasetParams, IngestParams, LayoutParams, Limit, SplitParams, ValidateParams
from ferflow.params.evaluation import EvaluateParams
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
    "EvaluateParams",
    "IngestParams",
    "LayoutParams",
    "Limit",
    "ModelParams",
    "Params",
    "PhaseParams",
    "PlateauParams",
    "Recipe",
    "SplitParams",
    "TrainingParams",
    "ValidateParams",
    "load_params",
]

Budget = Literal["quick", "full"]


class ModelParams(Strict):
    """A model: its architecture (a module of `ferflow.models`) and its recipe in both budgets."""

    architecture: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
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
    models: Annotated[dict[str, ModelParams], Field(min_length=1)]

    @model_validator(mode="after")
    def _dataset_exists(self) -> Params:
        if self.dataset not in self.datasets:
            raise ValueError(f"dataset: '{self.dataset}' is not one of {', '.join(self.datasets)}")
        return self

    @property
    def source(self) -> DatasetParams:
        """The data set that the `dataset` switch chooses."""
        return self.datasets[self.dataset]

    def recipe(self, model: str, budget: Budget | None = None) -> Recipe:
        """Return a model's complete recipe under `budget` (default: the `budget` switch).

        Raises:
            FerflowError: There is no such model, or its two parts do not make a valid recipe.
        """
        if model not in self.models:
            raise FerflowError(
                f"params.yaml: models.{model} does not exist; there are {', '.join(self.models)}."
            )
        budget = budget or self.budget
        entry = self.models[model]
        where = f"models.{model}"
        merged = _merge(entry.recipe, getattr(entry, budget), where, budget)
        try:
            return Recipe.model_validate(merged)
        except ValidationError as error:
            raise FerflowError(_explain(error, f"{where} ({budget} budget): ")) from None


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
        raise FerflowError(f"{path}:{line} not valid YAML ({_one_line(error.problem)}).") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise FerflowError(f"{path}: not valid YAML ({_one_line(error)}).") from None
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise FerflowError(_explain(error)) from None
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


def _explain(error: ValidationError, prefix: str = "") -> str:
    """Return the problems of a validation as one line, each with its key."""
    problems = []
    for detail in error.errors():
        # Branches of a union appear in the location; only what stands in the file helps the reader.
        path = [str(part) for part in detail["loc"] if not _is_type_name(part)]
        key = ".".join(path) or "the file"
        if detail["type"] == "extra_forbidden":
            close = difflib.get_close_matches(path[-1], _known_keys(), n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            problems.append(f"{prefix}{key}: unknown key{hint}")
        elif detail["type"] == "missing":
            problems.append(f"{prefix}{key}: this key is missing")
        elif detail["type"] == "value_error":
            where = f"{key}: " if path else ""
            problems.append(f"{prefix}{where}{detail['ctx']['error']}")
        else:
            problems.append(f"{prefix}{key}: {detail['msg']} (found {detail['input']!r})")
    return "params.yaml: " + "; ".join(dict.fromkeys(problems))


def _is_type_name(part: int | str) -> bool:
    return isinstance(part, str) and (
        part in {"int", "constrained-int", "str", "bool", "float"} or "[" in part
    )


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


def _known_keys() -> list[str]:
    models = [*Strict.__subclasses__()]
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})
