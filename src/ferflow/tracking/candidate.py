"""The best model of a leaderboard, as it is put forward to the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.promotion import Contender, same_samples
from ferflow.files import read_table
from ferflow.params.promotion import COSTS

if TYPE_CHECKING:
    from ferflow.tracking.projection import TrainedModel

_HEADLINE: Final = ("val/macro_f1", "val/accuracy", "test/macro_f1", "test/accuracy")


@dataclass(frozen=True, eq=False)
class ValidationSplit:
    """The samples that choose.

    Attributes:
        samples: `sample_id`, `label` and `sha256`, that of the image's pixels.
        image_shape: (H, W, C) of the raw images.
    """

    samples: pd.DataFrame
    image_shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained model that is to be registered.

    Attributes:
        name: Its name in params.yaml.
        fingerprint: Of its training.
        file: The .keras file.
        image_shape: (H, W, C) of the raw images.
        labels: The emotions in the order of its probabilities.
        description: For people who look at the registry.
        tags: Shown beside the version.
        metrics: What the model's page shows, by the names of its run's metrics.
        contender: Its answers to the validation split, with each image's `sha256`, and what it costs.
    """

    name: str
    fingerprint: str
    file: Path
    image_shape: tuple[int, int, int]
    labels: tuple[str, ...]
    description: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    contender: Contender


def candidate_of(
    model: TrainedModel, validation: ValidationSplit, labels: tuple[str, ...], tags: Mapping[str, str]
) -> Candidate:
    """Return what is registered of a model, from the files of its training and evaluation.

    Args:
        model: Its `file` is the model as it was evaluated.
        validation: The split that its report must be about.
        labels: The emotions in the order of its probabilities.
        tags: Further tags of its version.

    Raises:
        FerflowError: A file is missing, or its answers are not about this validation split.
    """
    if not model.file.is_file():
        raise FerflowError(f"{model.file} is missing: run `dvc repro` or `dvc checkout` to bring it back.")
    training, metrics, info = model.training(), model.metrics(), model.info()
    image_shape = validation.image_shape
    costs = {name: metrics[name] for name in COSTS.values() if name in metrics}
    shown = {name for each in _HEADLINE for name in (each, f"{each}_low", f"{each}_high")}
    return Candidate(
        name=model.name,
        fingerprint=training["fingerprint"],
        file=model.file,
        image_shape=image_shape,
        labels=labels,
        description=_description(model, training, metrics, image_shape, labels),
        tags={
            "model": model.name,
            "dataset": training["dataset"],
            "data_sha256": training["data_sha256"],
            **tags,
            "val_scored_by": "cross-fitting" if info.cross_fitted else "the model itself",
            **{_tag(name): f"{metrics[name]:.4f}" for name in _HEADLINE},
            **{f"{_tag(name)}_interval": found for name in _HEADLINE if (found := _interval(metrics, name))},
            **{_tag(name): f"{value:.12g}" for name, value in costs.items()},
        },
        metrics={name: value for name, value in metrics.items() if name in shown or name.startswith("cost/")},
        contender=Contender(_answers(model, validation), costs),
    )


def costs_of(tags: Mapping[str, str]) -> dict[str, float]:
    """Return what a version costs, from the tags that `candidate_of` gave it."""
    return {name: float(tags[_tag(name)]) for name in COSTS.values() if _tag(name) in tags}


def _answers(model: TrainedModel, validation: ValidationSplit) -> pd.DataFrame:
    file = model.report / "predictions.parquet"
    table = read_table(file, ["sample_id", "split", "label", "predicted"])
    answers = table.loc[table["split"] == "val", ["sample_id", "label", "predicted"]].reset_index(drop=True)
    if not same_samples(answers, validation.samples):
        raise FerflowError(f"{file} is not about the validation split as it is now: run `dvc repro`.")
    return answers.merge(validation.samples[["sample_id", "sha256"]], on="sample_id", validate="one_to_one")


def _description(
    model: TrainedModel,
    training: Mapping[str, Any],
    metrics: Mapping[str, float],
    image_shape: tuple[int, int, int],
    labels: tuple[str, ...],
) -> str:
    info = model.info()
    how = ", by cross-fitting" if info.cross_fitted else ""
    mean = f", the mean over {info.views} views of an image" if info.views > 1 else ""
    scored = {name: f"{metrics[name]:.4f}" for name in _HEADLINE}
    within = {
        name: f" (95 % interval {found})" if (found := _interval(metrics, name)) else "" for name in _HEADLINE
    }
    return (
        f"{model.name} on {training['dataset']}: the best of its leaderboard by validation macro-F1, "
        f"{scored['val/macro_f1']}{how}{within['val/macro_f1']}. On test: macro-F1 {scored['test/macro_f1']}"
        f"{within['test/macro_f1']}, accuracy {scored['test/accuracy']}{within['test/accuracy']}. "
        f"Takes uint8 images (N, {', '.join(map(str, image_shape))}), gives one probability for each of "
        f"{', '.join(labels)}{mean}."
    )


def _interval(metrics: Mapping[str, float], name: str) -> str:
    """Return the interval of a score in words; nothing if the report has none."""
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    return "" if low is None or high is None else f"{low:.4f} to {high:.4f}"


def _tag(metric: str) -> str:
    return metric.replace("/", "_")
