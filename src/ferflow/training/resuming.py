"""Callbacks that know how to go on in the middle of a phase, and the one that sees to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras

from ferflow.params import EarlyStoppingParams, PlateauParams
from ferflow.training.callbacks import Epoch
from ferflow.training.checkpoint import Checkpoint, Progress, assign, values_of
from ferflow.training.pipeline import Targets
from ferflow.training.stopwatch import Stopwatch


class Resumable(keras.callbacks.Callback):
    """A callback whose decisions depend on epochs before: that memory can be taken out and put back."""

    remembers: ClassVar[tuple[str, ...]]

    def state(self) -> dict[str, Any]:
        """Return what it remembers: numbers, None or lists of arrays."""
        return {name: getattr(self, name) for name in self.remembers}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember what `state` has returned before; after `on_train_begin`, which forgets everything."""
        for name in self.remembers:
            setattr(self, name, state[name])


class EarlyStopping(Resumable, keras.callbacks.EarlyStopping):
    """Keras's, resumable."""

    remembers = ("wait", "best", "best_weights")


class ReduceLROnPlateau(Resumable, keras.callbacks.ReduceLROnPlateau):
    """Keras's, resumable; the rate itself is a variable of the optimizer."""

    remembers = ("wait", "best")


class SaveCheckpoint(keras.callbacks.Callback):
    """Write the state of the training after each epoch, and go on from such a state.

    Place it last: what an epoch means is known when all others have seen its end. After the last epoch of a
    phase nothing is written until these have brought the best or the average weights into the model.

    Args:
        checkpoint: Where to write.
        whole: The model with all its variables; the phase may train a part of it.
        phase: How many phases have ended before.
        history: All rows so far; another callback appends to it.
        stopwatch: Of the training.
        resumables: The phase's callbacks that have a state.
        start: The state to go on from within the phase; None begins it.
        targets: What the phase trains on in the place of labels; None for the labels.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        whole: keras.Model,
        phase: int,
        history: list[Epoch],
        stopwatch: Stopwatch,
        resumables: Sequence[Resumable],
        start: Progress | None,
        targets: Targets | None,
    ) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._whole = whole
        self._phase = phase
        self._history = history
        self._resumables = resumables
        self._start = start
        self._targets = [] if targets is None else [targets]
        self._stopwatch = stopwatch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Bring optimizer and callbacks into the state to go on from; the model is in it already."""
        if self._start:
            assign(self.model.optimizer.variables, self._start.optimizer)
            for callback, state in zip(self._resumables, self._start.callbacks, strict=True):
                callback.restore(state)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the state within the phase."""
        if self.model.stop_training or epoch == self.params["epochs"] - 1:
            return
        self._save(
            self._phase,
            epoch + 1,
            optimizer=values_of(self.model.optimizer.variables),
            callbacks=[callback.state() for callback in self._resumables],
            targets=self._targets,
        )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write the state between this phase and the next."""
        self._save(self._phase + 1, 0)

    def _save(self, phase: int, epoch: int, **within_phase: Any) -> None:
        state = values_of(self._whole.variables)
        seconds = self._stopwatch.seconds
        self._checkpoint.save(Progress(phase, epoch, self._history, state, seconds=seconds, **within_phase))


def early_stopping(params: EarlyStoppingParams) -> EarlyStopping:
    """Return the callback that stops when nothing improves any more and restores the best epoch."""
    return EarlyStopping(
        monitor=params.monitor,
        mode="min" if params.monitor == "val_loss" else "max",
        patience=params.patience,
        restore_best_weights=True,
    )


def reduce_lr_on_plateau(params: PlateauParams) -> ReduceLROnPlateau:
    """Return the callback that lowers the learning rate when the validation loss no longer falls."""
    return ReduceLROnPlateau(
        monitor="val_loss",
        mode="min",
        factor=params.factor,
        patience=params.patience,
        min_delta=params.min_delta,
        min_lr=params.min_learning_rate,
    )
