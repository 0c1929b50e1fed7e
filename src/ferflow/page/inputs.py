"""What the page and the model card are made of, as plain values: no path, no format of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from ferflow.evaluation.model_info import ModelInfo
from ferflow.page.data_inputs import Data, Gate, Read

Share = Annotated[float, Field(ge=0, le=1)]


class Scores(Read):
    """One split of metrics.json; shares in [0, 1], the log loss in nats, low and high of a 95 % interval."""

    accuracy: Share
    accuracy_low: Share
    accuracy_high: Share
    balanced_accuracy: Share
    macro_f1: Share
    macro_f1_low: Share
    macro_f1_high: Share
    weighted_f1: Share
    top2_accuracy: Share
    log_loss: float
    calibration_error: Share
    samples: Annotated[int, Field(ge=1)]


class Standing(Read):
    """What the leaderboard alone knows of a model: its place, and what is asked across models."""

    rank: Annotated[int, Field(ge=1)]
    model: str
    near_chance: bool
    test_majority_share: Share
    corrupted_accuracy: Share
    corrupted_samples: Annotated[int, Field(ge=1)]
    corrupted_clean_accuracy: Share


class TrainingTime(Read):
    """How long a training took; without device and seconds where that is not known."""

    fingerprint: str
    device: str | None
    seconds: float | None


class Cost(Read):
    """What costs.json says of a model: the SHA-256 of its networks' files, milliseconds an image by batch."""

    device: str
    files: dict[str, str]
    milliseconds_per_image: dict[str, float]
    training: TrainingTime


class Training(Read):
    """The content of training.json; an ensemble, which is not trained itself, has members for a recipe."""

    fingerprint: str
    dataset: str
    budget: str
    seed: int | None = None
    device: str | None = None
    precision: str | None = None
    recipe: dict[str, Any]
    data_sha256: str | None = None
    code_sha256: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is embedded.

    Attributes:
        uri: The picture itself, as an address that begins with `data:`.
        width: In pixels.
        height: In pixels.
    """

    uri: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Model:
    """Everything about one model; what may be missing is None.

    Attributes:
        standing: Its row of the leaderboard.
        about: The model in words and numbers.
        training: How it was trained.
        val: Scores on the split that chooses.
        test: Scores on the split that reports.
        per_class: `split`, `label`, `precision`, `recall`, `f1`, `support`, `average_precision`.
        confusion: Counts on test: rows are the actual, columns the predicted emotions, in their order.
        history: A row for each epoch.
        top_confusions: `actual`, `predicted`, `count`, `share`, the largest first.
        calibration: `bin_low`, `bin_high`, `samples`, `confidence`, `accuracy`.
        precision_recall: `label`, `threshold`, `precision`, `recall`.
        robustness: `corruption`, `severity`, `samples`, `accuracy`, `macro_f1`.
        cost: Time for an image and for the training.
        architecture: Keras's summary as text.
        architecture_picture: The layers drawn.
        errors: Its most confident errors, with faces.
    """

    standing: Standing
    about: ModelInfo
    training: Training
    val: Scores
    test: Scores
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    history: pd.DataFrame | None
    top_confusions: pd.DataFrame | None
    calibration: pd.DataFrame | None
    precision_recall: pd.DataFrame | None
    robustness: pd.DataFrame | None
    cost: Cost | None
    architecture: str | None
    architecture_picture: Picture | None
    errors: Picture | None

    @property
    def name(self) -> str:
        """Its name in params.yaml."""
        return self.about.model

    @property
    def training_time(self) -> TrainingTime | None:
        """How long its training took, where it is known."""
        return self.cost.training if self.cost and self.cost.training.seconds is not None else None


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything the page shows.

    Attributes:
        models: In the leaderboard's order; the first is the champion.
        comparisons: A row for each pair of them.
        data: Facts about the data set.
        gate: What the data gate found.
    """

    models: tuple[Model, ...]
    comparisons: pd.DataFrame
    data: Data
    gate: Gate

    @property
    def champion(self) -> Model:
        """The first by validation macro-F1."""
        return self.models[0]
