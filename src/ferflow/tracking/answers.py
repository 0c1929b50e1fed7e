"""What the registered champion has answered to today's validation images, when it was chosen on them.

The model itself is not asked: with another split it may have been trained on today's validation images, and
its score there would be memory.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import Model

from ferflow.errors import FerflowError
from ferflow.evaluation.promotion import answers_in_common
from ferflow.files import read_table
from ferflow.labels import EMOTIONS
from ferflow.tracking.logged_model import ANSWERS
from ferflow.tracking.version_files import fetched, is_loadable, names_of_files

#: Of today's validation images: fewer say too little about who is better.
_ENOUGH: Final = 50
_ENOUGH_OF_ALL: Final = 0.2


class UnusableError(Exception):
    """A version cannot serve today's images; the message says why, in a few words."""


class CannotCompareError(Exception):
    """A version has no answers that can be compared; the message says why, in a few words."""


def comparable_answers(
    version: ModelVersion, today: pd.DataFrame, image_shape: tuple[int, int, int]
) -> pd.DataFrame:
    """Return `sample_id`, `sha256`, `label` and `predicted` of those of today's samples that a version knows.

    Args:
        version: The champion.
        today: `sample_id`, `sha256` and `label` of the validation split.
        image_shape: (H, W, C) of its images.

    Raises:
        UnusableError: The version's files are gone, or it takes images of another shape.
        CannotCompareError: It has kept no answers, or to too few of the samples.
        MlflowException, OSError: The store cannot be read, which proves nothing.
    """
    if not is_loadable(version):
        raise UnusableError("its files are gone")
    expected = _image_shape(version)
    if expected not in (None, image_shape):
        raise UnusableError(f"it takes images of {_sizes(expected)}, not of {_sizes(image_shape)}")
    try:
        common = answers_in_common(today, _kept_answers(version))
    except (KeyError, ValueError):
        raise CannotCompareError("its kept answers are not of this form") from None
    if not common["predicted"].isin(EMOTIONS).all():
        raise CannotCompareError("its answers have other classes")
    if len(common) < min(len(today), max(_ENOUGH, _ENOUGH_OF_ALL * len(today))):
        raise CannotCompareError(f"it was chosen on {len(common)} of the {len(today)} validation images")
    return common


def _kept_answers(version: ModelVersion) -> pd.DataFrame:
    if ANSWERS not in names_of_files(version, "artifacts"):
        raise CannotCompareError("no answers were kept with it")
    with fetched(version, f"artifacts/{ANSWERS}") as file:
        try:
            return read_table(file)
        except FerflowError:
            raise CannotCompareError("its kept answers cannot be read") from None


def _image_shape(version: ModelVersion) -> tuple[int, ...] | None:
    """Return the (H, W, C) that a version takes; None if its signature, if any, does not say so."""
    with fetched(version, "MLmodel") as file:
        try:
            return tuple(Model.load(str(file)).signature.inputs.inputs[0].shape[1:])
        except Exception:  # somebody's own model may have any signature, or none
            return None


def _sizes(shape: tuple[int, ...] | None) -> str:
    return "x".join(map(str, shape or ()))
