"""What the registered champion says of today's validation split."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from ferflow.errors import without_credentials
from ferflow.evaluation.promotion import same_samples
from ferflow.files import read_table
from ferflow.labels import EMOTIONS
from ferflow.stage import heavy_imports
from ferflow.tracking.candidate import ValidationSplit
from ferflow.tracking.logged_model import ANSWERS

_BATCH: Final = 256


class CannotCompareError(Exception):
    """A version has no answers to a validation split; the message says why, in a few words."""


def validation_answers(version: ModelVersion, validation: ValidationSplit) -> pd.DataFrame:
    """Return a version's `sample_id`, `label` and `predicted` for the samples of a validation split.

    Those that were kept with the model if they are about the same samples and labels, since the ones of an
    ensemble that chose its members there are cross-fitted; else the model itself is asked.

    Raises:
        CannotCompareError: It has none, and it cannot be loaded or asked.
    """
    kept = _kept_answers(version)
    if kept is not None and same_samples(kept, validation.samples):
        return kept
    return _ask(version, validation)


def _kept_answers(version: ModelVersion) -> pd.DataFrame | None:
    uri = f"models:/{version.name}/{version.version}/artifacts/{ANSWERS}"
    with TemporaryDirectory() as folder:
        try:
            return read_table(Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder)))
        except Exception:  # an earlier version kept none; then the model itself is asked
            return None


def _ask(version: ModelVersion, validation: ValidationSplit) -> pd.DataFrame:
    samples, image_shape = validation.samples, validation.images.shape[1:]
    uri = f"models:/{version.name}/{version.version}"
    try:
        signature = mlflow.models.get_model_info(uri).signature
        expected = tuple(signature.inputs.inputs[0].shape[1:]) if signature else image_shape
        if expected != image_shape:
            raise CannotCompareError(f"it takes images of {_sizes(expected)}, not of {_sizes(image_shape)}")
        with heavy_imports():
            model = mlflow.pyfunc.load_model(uri)
            rows = samples["row"].to_numpy()
            parts = [
                model.predict(validation.images[rows[start : start + _BATCH]])
                for start in range(0, len(rows), _BATCH)
            ]
        predicted = pd.concat(parts)[list(EMOTIONS)].idxmax(axis=1)
    except CannotCompareError:
        raise
    except Exception as error:  # a model that somebody made with other versions can fail in any way
        raise CannotCompareError(f"it cannot be loaded ({_words(error)})") from None
    return samples[["sample_id", "label"]].assign(predicted=predicted.to_numpy())


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _words(error: Exception) -> str:
    lines = without_credentials(str(error)).splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
