"""What happens at the end of a batch and of an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, TypedDict

import keras

from ferflow.errors import FerflowError


class Epoch(TypedDict):
    """One row of history.csv: `epoch` counts from 1 over all phases."""

    epoch: int
    phase: str
    learning_rate: float
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float


HISTORY_COLUMNS: Final = tuple(Epoch.__annotations__)


class HistoryRecorder(keras.callbacks.Callback):
    """Append each epoch to `history` and hand it to the listeners as soon as it has ended.

    Args:
        history: Rows of the phases before; grows in place.
        phase: The name of the phase.
        listeners: Called with each finished epoch, e.g. to log it live.
    """

    def __init__(
        self, history: list[Epoch], phase: str, listeners: Sequence[Callable[[Epoch], None]]
    ) -> None:
        super().__init__()
        self._history = history
        self._phase = phase
        self._listeners = listeners
        self._learning_rate = math.nan

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the rate that this epoch trains with: a schedule may lower it before the epoch is recorded."""
        self._learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch."""
        values = logs or {}
        row = Epoch(
            epoch=len(self._history) + 1,
            phase=self._phase,
            learning_rate=self._learning_rate,
            loss=float(values["loss"]),
            accuracy=float(values["accuracy"]),
            val_loss=float(values["val_loss"]),
            val_accuracy=float(values["val_accuracy"]),
        )
        self._history.append(row)
        for listener in self._listeners:
            listener(row)


class StopOnNaN(keras.callbacks.Callback):
    """Stop a training whose loss is no longer a finite number: everything after it is wasted.

    Raises:
        FerflowError: At the first such batch, with its epoch and step.
    """

    def __init__(self, phase: str) -> None:
        super().__init__()
        self._phase = phase
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember the epoch for the message."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss of the batch."""
        self._check("loss", (logs or {}).get("loss", 0.0), f"step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the validation loss, which alone shows what the last step did."""
        self._check("validation loss", (logs or {}).get("val_loss", 0.0), "after its last step")

    def _check(self, name: str, value: float, where: str) -> None:
        if not math.isfinite(value):
            raise FerflowError(
                f"the {name} is not finite: phase '{self._phase}', epoch {self._epoch}, {where}; "
                "lower its learning_rate or, under mixed_bfloat16, force `training.precision: float32`."
            )


class AverageWeights(keras.callbacks.Callback):
    """Validate, and leave the model, with the averages of its weights that its optimizer keeps (`use_ema`).

    From the validation of an epoch until the next one begins, the model holds the averages and the
    optimizer the weights; the callbacks between, and a checkpoint that is written there, see them so.
    Place it after the callback that may stop the training. Only trainable weights are averaged: the
    statistics of batch normalisation are moving averages already.

    Unlike Keras's SwapEMAWeights, the swap is exact (that one adds and subtracts, which rounds), and a
    training that stops early ends with the averages too.
    """

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Go on training from the weights; before the first epoch nothing is averaged yet."""
        if epoch > 0:
            self._swap()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Validate the averages."""
        self._swap()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """After the last epoch, forget the weights: `fit` ends by copying what the optimizer holds."""
        if self.model.stop_training or epoch == self.params["epochs"] - 1:
            for weight, average in self._pairs():
                average.assign(weight)

    def _swap(self) -> None:
        for weight, average in self._pairs():
            held = keras.ops.convert_to_numpy(weight)
            weight.assign(average)
            average.assign(held)

    def _pairs(self) -> list[tuple[Any, Any]]:
        optimizer = self.model.optimizer
        return list(
            zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True)
        )
