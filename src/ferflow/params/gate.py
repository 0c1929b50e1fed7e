"""The part of params.yaml about the gate of pull requests."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from ferflow.params.base import Name, NonNegativeFloat, PositiveInt, Share, Strict


class MaxDropParams(Strict):
    """By how much each score may become worse, in its own unit; a score of 0.02 may fall by at most 0.02.

    Attributes:
        accuracy: Share of test that is right.
        balanced_accuracy: Mean recall of the seven classes.
        macro_f1: Mean F1 of the seven classes.
        log_loss: Nats; it becomes worse by rising.
        calibration_error: It becomes worse by rising.
        class_f1: F1 of each class.
        best: Accuracy and macro-F1 of the best model, whichever it is on either side.
    """

    accuracy: NonNegativeFloat
    balanced_accuracy: NonNegativeFloat
    macro_f1: NonNegativeFloat
    log_loss: NonNegativeFloat
    calibration_error: NonNegativeFloat
    class_f1: NonNegativeFloat
    best: NonNegativeFloat


class FloorParams(Strict):
    """What the best model must reach on test, whatever the base reached."""

    accuracy: Share | None = None
    macro_f1: Share | None = None


def _board(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*/(quick|full)", name):
        raise ValueError(f"write <data set>/<budget>, e.g. sample/quick (found {name!r})")
    return name


class GateParams(Strict):
    """When a change of committed results is refused.

    Attributes:
        significance: Chance, at most, that re-training without any loss is called a regression: for each data
            set and budget, in each of three families (the models' scores, their classes, the best model).
        max_drop: A drop is refused if it is larger than this, and no noise.
        floors: By `<data set>/<budget>`.
        allow_removed: Models that may be missing though the base has them.
        min_common_samples: After an allowed change of the test split, so many samples that both sides have
            are compared in pairs; if there are fewer, all of both are compared unpaired.
    """

    significance: Annotated[float, Field(gt=0, le=0.1)]
    max_drop: MaxDropParams
    floors: dict[Annotated[str, AfterValidator(_board)], FloorParams]
    allow_removed: list[Name]
    min_common_samples: PositiveInt
