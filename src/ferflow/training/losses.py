"""What training minimises, and the accuracy it shows: for labels that are classes or shares of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from ferflow.params.optimization import LossParams

#: Of the focal loss, where none is given: the value that its paper found best.
_FOCAL_GAMMA: Final = 2.0
#: Added before a logarithm. Clipping at 1e-7, as is usual, would also cut the gradient of what is most wrong.
_TINY: Final = 1e-30


class ClassificationLoss(keras.losses.Loss):
    """The cross-entropy of float32 probabilities, or the focal loss (Lin et al., ICCV 2017).

    A label is a class, or a distribution over the classes, as mixup and cutmix make them: the loss is then
    the mean of what it would be for each class, by its share. With gamma 0, no smoothing and no weights it
    is the cross-entropy.

    Args:
        gamma: What has probability p is weighed by (1 - p) to this power; 0 or more.
        label_smoothing: Share of a label that is spread evenly over all classes, in [0, 1).
        class_weights: One factor for each class; None for ones.
    """

    def __init__(
        self,
        gamma: float = 0.0,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(name="loss", dtype="float32")
        self._gamma = gamma
        self._label_smoothing = label_smoothing
        self._class_weights = class_weights

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each sample, shape (N,), from labels (N,) or (N, K) and probabilities (N, K)."""
        targets = _as_distribution(y_true, y_pred.shape[-1])
        if self._class_weights is not None:
            targets *= ops.convert_to_tensor(self._class_weights, "float32")
        if self._label_smoothing:
            # The spread part keeps the weight of its sample's class, not of the class it is spread to.
            evenly = ops.mean(targets, axis=-1, keepdims=True)
            targets += self._label_smoothing * (evenly - targets)
        losses = -targets * ops.log(y_pred + _TINY)
        if self._gamma:
            # At a probability of exactly one, a power below one has no gradient.
            losses *= ops.power(ops.maximum(1.0 - y_pred, 1e-7), self._gamma)
        return ops.sum(losses, axis=-1)


def make_loss(params: LossParams, class_weights: Sequence[float] | None = None) -> ClassificationLoss:
    """Return the loss of a recipe."""
    gamma = 0.0 if params.name == "crossentropy" else params.gamma or _FOCAL_GAMMA
    return ClassificationLoss(gamma, params.label_smoothing, class_weights)


def make_accuracy() -> keras.metrics.Metric:
    """Return the metric `accuracy`: the share of a label that is of the most probable class.

    For labels that are classes this is the usual accuracy.
    """
    return keras.metrics.MeanMetricWrapper(_share_of_predicted_class, name="accuracy")


def balanced_class_weights(labels: npt.NDArray[np.int32], classes: int) -> list[float]:
    """Return for each class the factor by which it is too rare; over the samples they are one on average.

    As in scikit-learn: n / (k · n_c), with k the classes that occur. A class without samples gets 0.

    Args:
        labels: int32 of shape (n,).
        classes: How many there are.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return [len(labels) / (present * int(count)) if count else 0.0 for count in counts]


def _share_of_predicted_class(y_true: Any, y_pred: Any) -> Any:
    classes = y_pred.shape[-1]
    return ops.sum(
        _as_distribution(y_true, classes) * ops.one_hot(ops.argmax(y_pred, axis=-1), classes), axis=-1
    )


def _as_distribution(labels: Any, classes: int) -> Any:
    """Return labels, shape (N,) or (N, K), as float32 shares of the classes, shape (N, K)."""
    if len(labels.shape) == 1:
        return ops.one_hot(ops.cast(labels, "int32"), classes)
    return ops.cast(labels, "float32")
