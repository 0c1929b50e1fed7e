"""params.yaml as frozen, strict models: a typo fails at load, with the key and a remedy.

The two switches, `dataset` and `budget`, choose among the entries below them. A model's recipe is
written in two parts: what both budgets share (`recipe`), and what differs (`quick`, `full`). No
value may stand in both, so that an override on the command line never has a silent twin.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ferflow.errors import FerflowError

Budget = Literal["quick", "full"]
Fraction = Annotated[float, Field(ge=0, lt=1)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Option = bool | int | float | str | list[int] | None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DatasetParams(_Strict):
    """Where a data set comes from and under which name its champion is registered."""

    source: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    registered_model: Annotated[str, Field(min_length=1)]


class IngestParams(_Strict):
    """The one form in which every image is stored."""

    image_size: Annotated[int, Field(ge=16, le=1024)]


class ValidateParams(_Strict):
    """Thresholds of the data gate."""

    max_reject_fraction: Fraction
    min_samples: PositiveInt
    min_samples_per_label: PositiveInt
    min_image_size: PositiveInt
    max_blank_fraction: Fraction
    min_pixel_std: Annotated[float, Field(ge=0)]


class SplitParams(_Strict):
    """The shares that are carved where the source declares no split."""

    val_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    test_fraction: Annotated[float, Field(gt=0, lt=0.5)]


class TrainingParams(_Strict):
    """What all trainings share."""

    precision: Literal["auto", "float32", "mixed_bfloat16"]


class AugmentParams(_Strict):
    """Random geometric changes of training batches; the defaults change nothing."""

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: Fraction = 0.0
    shear: Annotated[float, Field(ge=0, le=45)] = 0.0
    zoom: Fraction = 0.0
    horizontal_flip: bool = False


class PhaseParams(_Strict):
    """One phase of training: which layers train, for how long, how fast."""

    trainable: Literal["all", "head"] | PositiveInt
    epochs: PositiveInt
    learning_rate: PositiveFloat


class EarlyStoppingParams(_Strict):
    """Stop when the monitored value no longer improves, and go back to the best epoch."""

    monitor: Literal["val_loss", "val_accuracy"]
    patience: PositiveInt


class PlateauParams(_Strict):
    """Lower the learning rate when the validation loss no longer falls."""

    factor: Annotated[float, Field(gt=0, lt=1)]
    patience: PositiveInt
    min_delta: Annotated[float, Field(ge=0)] = 1e-4
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0


class Recipe(_Strict):
    """Everything that decides how one model is built and trained under one budget."""

    input_size: Annotated[int, Field(ge=16, le=1024)]
    options: dict[str, Option] = {}
    batch_size: PositiveInt
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"]
    samples_per_epoch: PositiveInt | None = None
    batch_norm_momentum: Annotated[float, Field(gt=0, lt=1)] | None = None
    augment: AugmentParams = AugmentParams()
    phases: Annotated[dict[str, PhaseParams], Field(min_length=1)]
    early_stopping: EarlyStoppingParams | None = None
    reduce_lr_on_plateau: PlateauParams | None = None


class ModelParams(_Strict):
    """A model: its architecture (a module of `ferflow.models`) and its recipe in both budgets."""

    architecture: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    recipe: dict[str, Any]
    quick: dict[str, Any]
    full: dict[str, Any]


class Params(_Strict):
    """The whole of params.yaml."""

    dataset: str
    budget: Budget
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    datasets: dict[str, DatasetParams]
    ingest: IngestParams
    validate_: ValidateParams = Field(alias="validate")
    split: SplitParams
    training: TrainingParams
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
            problems.append(f"{prefix}{detail['ctx']['error']}")
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
    models = [*_Strict.__subclasses__()]
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})
