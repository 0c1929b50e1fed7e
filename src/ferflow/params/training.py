"""The parts of params.yaml about training: one model's recipe, and what all share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferflow.params.base import Fraction, PositiveFloat, PositiveInt, Strict

Option = bool | int | float | str | list[int] | None


class TrainingParams(Strict):
    """What all trainings share."""

    precision: Literal["auto", "float32", "mixed_bfloat16"]


class AugmentParams(Strict):
    """Random geometric changes of training batches; the defaults change nothing."""

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: Fraction = 0.0
    shear: Annotated[float, Field(ge=0, le=45)] = 0.0
    zoom: Fraction = 0.0
    horizontal_flip: bool = False


class PhaseParams(Strict):
    """One phase of training: which layers train, for how long, how fast."""

    trainable: Literal["all", "head"] | PositiveInt
    epochs: PositiveInt
    learning_rate: PositiveFloat


class EarlyStoppingParams(Strict):
    """Stop when the monitored value no longer improves, and go back to the best epoch."""

    monitor: Literal["val_loss", "val_accuracy"]
    patience: PositiveInt


class PlateauParams(Strict):
    """Lower the learning rate when the validation loss no longer falls."""

    factor: Annotated[float, Field(gt=0, lt=1)]
    patience: PositiveInt
    min_delta: Annotated[float, Field(ge=0)] = 1e-4
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0


class Recipe(Strict):
    """Everything that decides how one model is built and trained under one budget."""

    input_size: Annotated[int, Field(ge=16, le=1024)]
    options: dict[str, Option] = Field(default_factory=dict)
    batch_size: PositiveInt
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"]
    samples_per_epoch: PositiveInt | None = None
    batch_norm_momentum: Annotated[float, Field(gt=0, lt=1)] | None = None
    augment: AugmentParams = AugmentParams()
    phases: Annotated[dict[str, PhaseParams], Field(min_length=1)]
    early_stopping: EarlyStoppingParams | None = None
    reduce_lr_on_plateau: PlateauParams | None = None
