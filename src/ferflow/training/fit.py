"""The training itself: phase after phase of one recipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from ferflow.models.inference import trainable_parameters
from ferflow.params import PhaseParams, Recipe
from ferflow.params.training import NO_AUGMENTATION, AugmentParams
from ferflow.training.augment import make_augmentation
from ferflow.training.callbacks import AverageWeights, Epoch, HistoryRecorder, StopOnNaN
from ferflow.training.checkpoint import Checkpoint, Progress, assign
from ferflow.training.devices import Device, distributed, jit_compile, out_of_memory_explained
from ferflow.training.distillation import distilled
from ferflow.training.features import features_file, split_after_base, with_features
from ferflow.training.losses import balanced_class_weights, make_accuracy, make_loss
from ferflow.training.mixing import make_mixing
from ferflow.training.networks import Networks
from ferflow.training.optimizers import make_optimizer
from ferflow.training.phases import set_trainable
from ferflow.training.pipeline import (
    Targets,
    TrainingData,
    steps_per_epoch,
    training_batches,
    validation_batches,
)
from ferflow.training.resuming import Resumable, SaveCheckpoint, early_stopping, reduce_lr_on_plateau
from ferflow.training.sampling import epoch_size, visited_positions
from ferflow.training.schedules import learning_rate
from ferflow.training.sharing import require_equal_shares, shareable, validation_batch
from ferflow.training.stopwatch import Stopwatch


def train(
    model: keras.Model,
    recipe: Recipe,
    data: TrainingData,
    *,
    device: Device,
    seed: int,
    resized: Callable[[int], keras.Model] | None = None,
    listeners: Sequence[Callable[[Epoch], None]] = (),
    checkpoint: Checkpoint | None = None,
    stopwatch: Stopwatch | None = None,
) -> list[Epoch]:
    """Train `model` in place by its recipe; return one row for each epoch.

    Args:
        model: A built model in float32; it receives the trained weights at the end.
        recipe: Phases, batch size, augmentation and callbacks.
        data: Images and splits.
        device: From `devices.prepare`.
        seed: Decides the order of samples and the augmentation.
        resized: From pixels to the same architecture at that input size; needed if a phase has its own.
        listeners: Called with each finished epoch; of a training that goes on, with all those before too.
        checkpoint: Where the state is kept after every epoch. If it holds one, the training goes on from
            there and ends as if it had never been interrupted. None keeps nothing.
        stopwatch: Started by the caller; what came before a checkpoint that is gone on with is added.

    Raises:
        FerflowError: A phase does not fit the architecture, the loss stops being finite, or memory or disk
            are too small.
    """
    require_equal_shares(recipe.batch_size, device)
    # Layers that draw random numbers take their seed from Python's own generator, which anything that ran
    # before may have used: MLflow does, whenever it asks a server again.
    keras.utils.set_random_seed(seed)
    progress = checkpoint.load() if checkpoint else None
    with distributed(device):
        networks = Networks(model, recipe, device.precision, resized)
        watch = stopwatch or Stopwatch()
        training = _Training(networks, recipe, data, device, seed, listeners, checkpoint, watch)
        if progress:
            training.take_up(progress)
        begin = progress.phase if progress else 0
        for number, (name, phase) in list(enumerate(recipe.phases.items()))[begin:]:
            within = progress if progress and number == begin and progress.epoch else None
            with out_of_memory_explained(model.name, name, recipe.batch_size):
                training.run(number, name, phase, within)
    model.set_weights(networks.present.get_weights())
    return training.history


@dataclass(frozen=True, slots=True)
class _Training:
    """What all phases of a training share; `history` grows."""

    networks: Networks
    recipe: Recipe
    data: TrainingData
    device: Device
    seed: int
    listeners: Sequence[Callable[[Epoch], None]]
    checkpoint: Checkpoint | None
    stopwatch: Stopwatch
    history: list[Epoch] = field(default_factory=list)

    @property
    def model(self) -> keras.Model:
        """What the present phase trains."""
        return self.networks.present

    @property
    def samples_per_epoch(self) -> int:
        """How many images an epoch trains on: as many as asked for and there are, in batches for all GPUs."""
        size = epoch_size(len(self.data.train.labels), self.recipe.samples_per_epoch)
        return shareable(size, self.recipe.batch_size, self.device)

    def take_up(self, progress: Progress) -> None:
        """Bring the model and the history into the state that a checkpoint holds."""
        # At its size in the phase before: the next one may begin with what it believes at that.
        self.networks.resize(self.recipe.size_of(self.recipe.phases[progress.history[-1]["phase"]]))
        assign(self.model.variables, progress.model)
        self.stopwatch.go_on_from(progress.seconds)
        self.history.extend(progress.history)
        for row in self.history:
            for listener in self.listeners:
                listener(row)
        last = self.history[-1]
        print(f"train: going on after epoch {last['epoch']} (phase '{last['phase']}')", flush=True)

    def run(self, number: int, name: str, phase: PhaseParams, start: Progress | None) -> None:
        """Run a phase, from its beginning or from the state `start` within it."""
        done = start.epoch if start else 0
        first_epoch = len(self.history) - done
        data = self._distilled(phase.self_distillation, start)
        self.networks.resize(self.recipe.size_of(phase))
        set_trainable(self.model, phase.trainable, f"phases.{name}.trainable")
        with features_file(self.checkpoint, number) as file:
            network, data, augment = self._parts(phase, data, first_epoch, file)
            steps = steps_per_epoch(self.samples_per_epoch, self.recipe.batch_size)
            _compile(network, self.recipe, phase, data, self.device, steps=phase.epochs * steps)
            print(
                f"train: phase '{name}': {trainable_parameters(network):,} of {self.model.count_params():,} "
                f"parameters, up to {phase.epochs} epochs of {steps} steps, {self.device.precision} on "
                f"{self.device.kind}",
                flush=True,
            )
            network.fit(
                self._batches(data, augment, first_epoch + done),
                steps_per_epoch=steps,
                shuffle=False,
                initial_epoch=done,
                epochs=phase.epochs,
                validation_data=validation_batches(
                    data.images, data.val, batch_size=validation_batch(len(data.val.labels), self.device)
                ),
                callbacks=self._callbacks(number, name, start, data.train.targets),
                verbose=1 if sys.stdout.isatty() else 2,
            )

    def _distilled(self, share: float, start: Progress | None) -> TrainingData:
        """Return the data with what the model believes mixed into its labels."""
        if not share:
            return self.data
        # The model that believed it is no more when a phase is gone on with.
        believed = start.targets[0] if start else None
        return distilled(self.model, self.data, share, believed)

    def _parts(
        self, phase: PhaseParams, data: TrainingData, first_epoch: int, file: Path
    ) -> tuple[keras.Model, TrainingData, AugmentParams]:
        """Return what a phase trains, on what, and which random changes it makes to that."""
        augment = self.recipe.augment_of(phase)
        if phase.trainable != "head":
            return self.model, data, augment
        parts = split_after_base(self.model)
        if augment != NO_AUGMENTATION and phase.cached_views is None:
            return parts.whole, data, augment
        views = min(phase.cached_views or 1, phase.epochs)
        epochs = range(first_epoch, first_epoch + phase.epochs)
        data = with_features(
            parts.extractor,
            data,
            file,
            visited=[
                visited_positions(
                    self.data.train.labels,
                    self.samples_per_epoch,
                    seed=self.seed,
                    epochs=[epoch for epoch in epochs if epoch % views == view],
                    balanced=self.recipe.sampling == "balanced",
                )
                for view in range(views)
            ],
            augment=make_augmentation(augment, self.seed),
            batch_size=self.recipe.batch_size,
        )
        return parts.head, data, NO_AUGMENTATION

    def _batches(self, data: TrainingData, augment: AugmentParams, first_epoch: int) -> Any:
        """Return the stream of training batches; epochs count over all phases."""
        return training_batches(
            data.images,
            data.train,
            batch_size=self.recipe.batch_size,
            seed=self.seed,
            samples_per_epoch=self.samples_per_epoch,
            balanced=self.recipe.sampling == "balanced",
            augment=make_augmentation(augment, self.seed),
            mix=make_mixing(augment, self.model.output_shape[-1], self.seed),
            first_epoch=first_epoch,
        )

    def _callbacks(
        self, number: int, name: str, start: Progress | None, targets: Targets | None
    ) -> list[keras.callbacks.Callback]:
        """Return the callbacks of a phase, in the order in which Keras has to ask them."""
        resumables: list[Resumable] = []
        if self.recipe.reduce_lr_on_plateau:
            resumables.append(reduce_lr_on_plateau(self.recipe.reduce_lr_on_plateau))
        if self.recipe.early_stopping:
            resumables.append(early_stopping(self.recipe.early_stopping))
        callbacks: list[keras.callbacks.Callback] = [*resumables]
        if self.recipe.ema_momentum is not None:
            callbacks.append(AverageWeights())
        callbacks += [StopOnNaN(name), HistoryRecorder(self.history, name, self.listeners)]
        if self.checkpoint:
            so_far = (self.model, number, self.history, self.stopwatch)
            callbacks.append(SaveCheckpoint(self.checkpoint, *so_far, resumables, start, targets))
        return callbacks


def _compile(
    model: keras.Model, recipe: Recipe, phase: PhaseParams, data: TrainingData, device: Device, *, steps: int
) -> None:
    """Give `model` the optimizer, the loss and the metric of a phase of so many steps."""
    balanced = recipe.class_weights == "balanced"
    weights = balanced_class_weights(data.train.labels, model.output_shape[-1]) if balanced else None
    model.compile(
        optimizer=make_optimizer(
            recipe.optimizer_of(phase),
            learning_rate(recipe.schedule_of(phase), phase.learning_rate, steps),
            model.trainable_weights,
            ema_momentum=recipe.ema_momentum,
            precision=device.precision,
        ),
        loss=make_loss(recipe.loss, weights),
        metrics=[make_accuracy()],
        jit_compile=jit_compile(device),
    )
    # Keras would build it at the first step, too late for the state of one that goes on.
    model.optimizer.build(model.trainable_weights)
