"""An exported file beside the Keras model that it was made of, on the same test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ferflow.evaluation.class_scores import class_scores
from ferflow.evaluation.rounding import DIGITS
from ferflow.evaluation.significance import Classes, Difference, pair_counts, paired_differences
from ferflow.export.runtimes import Probabilities

#: What a float file may differ from Keras in one probability; another order of additions stays within 1e-4.
TOLERANCE: Final = 1e-3
#: Accuracy or macro-F1 that an int8 file may lose on the test split before that is warned of: one point.
LARGEST_LOSS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a file's answers are from Keras's, on the same images.

    Attributes:
        accuracy: Of the file, in [0, 1].
        macro_f1: Of the file, in [0, 1].
        differences: Of `accuracy` and `macro_f1`, the file's minus Keras's, with 95 % intervals of the paired
            bootstrap.
        largest: Largest difference of one probability.
        mean: Mean absolute difference of a probability.
        equal_answers: Share of images that both call alike, in [0, 1].
    """

    accuracy: float
    macro_f1: float
    differences: dict[str, Difference]
    largest: float
    mean: float
    equal_answers: float

    def loss(self) -> float:
        """Return what is lost in accuracy or in macro-F1, whichever is more; below 0 if both gain."""
        return -min(difference.value for difference in self.differences.values())

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON knows it, rounded as scores are."""
        scores: dict[str, Any] = {}
        for name, value in (("accuracy", self.accuracy), ("macro_f1", self.macro_f1)):
            scores[name] = round(value, DIGITS)
            for end, number in zip(("", "_low", "_high"), self.differences[name], strict=True):
                scores[f"{name}_difference{end}"] = round(number, DIGITS)
        return scores | {
            "largest_difference": float(f"{self.largest:.3g}"),
            "mean_difference": float(f"{self.mean:.3g}"),
            "equal_answers": round(self.equal_answers, DIGITS),
        }


def agreement(actual: Classes, ours: Probabilities, keras: Probabilities) -> Agreement:
    """Compare what a file and Keras make of the same images.

    Args:
        actual: Shape `(N,)`, class numbers.
        ours: Shape `(N, K)`, the file's probabilities.
        keras: Shape `(N, K)`, Keras's.
    """
    predicted, reference = ours.argmax(axis=1), keras.argmax(axis=1)
    counts = pair_counts(actual, predicted, reference, ours.shape[1])
    apart = np.abs(ours - keras)
    scores = scores_of(actual, ours)
    return Agreement(
        **scores,
        differences=paired_differences(counts),
        largest=float(apart.max()),
        mean=float(apart.mean()),
        equal_answers=float(np.mean(predicted == reference)),
    )


def scores_of(actual: Classes, probabilities: Probabilities) -> dict[str, float]:
    """Return `accuracy` and `macro_f1`, each in [0, 1]."""
    predicted, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    confusions = np.bincount(actual * classes + predicted, minlength=classes**2).reshape(classes, classes)
    return {
        "accuracy": float(np.mean(actual == predicted)),
        "macro_f1": float(class_scores(confusions).f1.mean()),
    }
