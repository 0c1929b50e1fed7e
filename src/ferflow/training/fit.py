"""The training itself: phase after phase of one recipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from ferflow.data.arrays import Images
from ferflow.params import Recipe
from ferflow.training.acceleration import accelerate
from ferflow.training.augment import make_augmentation
from ferflow.training.callbacks import (
    Epoch,
    HistoryRecorder,
    StopOnNaN,
    early_stopping,
    reduce_lr_on_plateau,
)
from ferflow.training.devices import Device
from ferflow.training.phases import set_trainable, trainable_parameters
from ferflow.training.pipeline import LabelledRows, steps_per_epoch, training_batches, validation_batches

#: Validation needs no gradients, so its batches may be larger than those of training.
_VALIDATION_BATCH = 256


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a model is trained on and chosen by.

    Attributes:
        images: uint8 of shape (N, H, W, C), memory-mapped.
        train: The rows that train.
        val: The rows that stop the training and lower its rate.
    """

    images: Images
    train: LabelledRows
    val: LabelledRows


def train(
    model: keras.Model,
    recipe: Recipe,
    data: TrainingData,
    *,
    device: Device,
    seed: int,
    listeners: Sequence[Callable[[Epoch], None]] = (),
) -> list[Epoch]:
    """Train `model` in place by its recipe; return one row for each epoch.

    Args:
        model: A built model in float32; it receives the trained weights at the end.
        recipe: Phases, batch size, augmentation and callbacks.
        data: Images and splits.
        device: From `devices.prepare`.
        seed: Decides the order of samples and the augmentation.
        listeners: Called with each finished epoch.

    Raises:
        FerflowError: A phase does not fit the architecture, or the loss stops being finite.
    """
    fast = accelerate(model, device.precision, batch_norm_momentum=recipe.batch_norm_momentum)
    history: list[Epoch] = []
    steps = steps_per_epoch(len(data.train.rows), recipe.batch_size, recipe.samples_per_epoch)
    validation = validation_batches(data.images, data.val, batch_size=_VALIDATION_BATCH)
    for name, phase in recipe.phases.items():
        set_trainable(fast, phase.trainable, f"phases.{name}.trainable")
        fast.compile(
            optimizer=_optimizer(recipe.optimizer, phase.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(),
            metrics=["accuracy"],
            # XLA gains on GPUs and loses a factor of three on CPUs.
            jit_compile="auto" if device.kind == "gpu" else False,
        )
        print(
            f"train: phase '{name}': {trainable_parameters(fast):,} of {fast.count_params():,} parameters, "
            f"up to {phase.epochs} epochs of {steps} steps, {device.precision} on {device.kind}",
            flush=True,
        )
        fast.fit(
            training_batches(
                data.images,
                data.train,
                batch_size=recipe.batch_size,
                seed=seed,
                samples_per_epoch=recipe.samples_per_epoch,
                augment=make_augmentation(recipe.augment, seed),
                first_epoch=len(history),
            ),
            steps_per_epoch=steps,
            shuffle=False,
            epochs=phase.epochs,
            validation_data=validation,
            callbacks=[*_callbacks(recipe), StopOnNaN(name), HistoryRecorder(history, name, listeners)],
            verbose=1 if sys.stdout.isatty() else 2,
        )
    model.set_weights(fast.get_weights())
    return history


def _optimizer(name: str, learning_rate: float) -> Any:
    return keras.optimizers.get({"class_name": name, "config": {"learning_rate": learning_rate}})


def _callbacks(recipe: Recipe) -> list[keras.callbacks.Callback]:
    callbacks = []
    if recipe.reduce_lr_on_plateau:
        callbacks.append(reduce_lr_on_plateau(recipe.reduce_lr_on_plateau))
    if recipe.early_stopping:
        callbacks.append(early_stopping(recipe.early_stopping))
    return callbacks
