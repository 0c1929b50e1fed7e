"""Do predictions fit the training that they are said to be of? What no look at the table alone can tell."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.confusions import confusion_counts
from ferflow.evaluation.outcomes import Outcomes

_NO_BETTER: Final = 3  # standard errors above chance within which predictions may be independent of the truth
_MUCH_BETTER: Final = 6  # standard errors above chance from which a training has clearly learned something


def check_agreement(val: Outcomes, history: pd.DataFrame) -> None:
    """Raise a FerflowError if predictions that should be good are no better than shuffled ones.

    If a generator shuffles the images and nothing else, ids, labels and probabilities are all valid; but the
    probabilities are of other images, so that they agree with the truth by chance alone.

    Args:
        val: The outcomes of the validation split.
        history: One row per epoch, in order; `val_accuracy` is what the training measured on the same split.
    """
    counts, samples = confusion_counts(val), len(val.actual)
    chance = float(counts.sum(axis=0) @ counts.sum(axis=1)) / samples**2
    # With one sample more that is right and one that is wrong: few samples cannot have no error at all.
    smoothed = (chance * samples + 1) / (samples + 2)
    error = math.sqrt(smoothed * (1 - smoothed) / samples)
    measured = float((val.actual == val.predicted).mean())
    trained = float(history["val_accuracy"].iloc[-1])
    if measured <= chance + _NO_BETTER * error and trained > chance + _MUCH_BETTER * error:
        raise FerflowError(
            f"predictions table: on validation {measured:.1%} are right, which is chance, but the training "
            f"measured {trained:.1%}: they are beside the wrong sample ids, or of another model; "
            "delete it and run `dvc repro`."
        )
