"""Compare a phase that trains only the head with and without keeping what the frozen base makes of images.

Both train the head of ResNet50, at 48 pixels with random weights, by the same loss and optimizer on the
same batches. One computes the base in every step, as Keras's `fit` does; the other is ferflow, which
computes it once. The times are those of the whole phases: tracing and, for ours, computing the features
included; other programs on the machine do not enter into those of CPU. A small data set can be repeated,
so that tracing takes no greater part than on a large one.

    python benchmarks/frozen_features.py --data data/sample --repeat 8 --epochs 10
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ferflow.data.arrays import open_images
from ferflow.data.labelled import labelled_samples
from ferflow.errors import FerflowError
from ferflow.files import read_table
from ferflow.labels import EMOTIONS
from ferflow.params import Recipe
from ferflow.stage import heavy_imports, run

if TYPE_CHECKING:
    import keras

    from ferflow.training.devices import Device
    from ferflow.training.pipeline import TrainingData

SEED: Final = 2013


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data/sample"), help="folder with images.npy")
    parser.add_argument("--repeat", type=int, default=1, help="train on every image so often (default 1)")
    parser.add_argument("--epochs", type=int, default=10, help="of the phase (default 10)")
    parser.add_argument("--learning-rate", type=float, default=0.0001, help="of Adam (default 0.0001)")
    parser.add_argument("--weights", help="imagenet, or a file; random weights by default")
    arguments = parser.parse_args()
    if min(arguments.epochs, arguments.repeat) < 1:
        raise FerflowError("--epochs and --repeat must be at least 1.")
    images = open_images(arguments.data / "images.npy")
    labelled = labelled_samples(
        read_table(arguments.data / "samples.parquet"), read_table(arguments.data / "splits.parquet")
    )

    with heavy_imports():
        from ferflow import models
        from ferflow.training.devices import prepare
        from ferflow.training.pipeline import LabelledRows, TrainingData, select

        device = prepare("auto", SEED)
    split = select(labelled, "train")
    repeated = LabelledRows(split.rows.repeat(arguments.repeat), split.labels.repeat(arguments.repeat))
    data = TrainingData(images, repeated, select(labelled, "val"))
    recipe = Recipe.model_validate(
        {
            "input_size": 48,
            "options": {"network": "ResNet50", "weights": arguments.weights, "head": [1024]},
            "batch_size": 32,
            "optimizer": "adam",
            "phases": {
                "head": {
                    "trainable": "head",
                    "epochs": arguments.epochs,
                    "learning_rate": arguments.learning_rate,
                }
            },
        }
    )
    model = models.build(
        "backbone",
        images.shape[1:],
        len(EMOTIONS),
        input_size=recipe.input_size,
        options=recipe.options,
    )
    before = model.get_weights()
    every_time = timed(lambda: train_as_keras_does(model, recipe, data, device))
    model.set_weights(before)
    once = timed(lambda: train_as_ferflow_does(model, recipe, data, device))
    print(as_table(every_time, once, len(data.train.rows), arguments.epochs, device))


@dataclass(frozen=True, slots=True)
class Phase:
    """What a phase took, in seconds on the clock and of CPU, and its last validation accuracy."""

    wall: float
    cpu: float
    accuracy: float


def timed(function: Callable[[], float]) -> Phase:
    """Return what `function` takes and returns."""
    wall, cpu = time.perf_counter(), time.process_time()
    accuracy = function()
    return Phase(time.perf_counter() - wall, time.process_time() - cpu, accuracy)


def train_as_keras_does(model: keras.Model, recipe: Recipe, data: TrainingData, device: Device) -> float:
    """Train the head, computing the frozen base in every step; return the last validation accuracy."""
    from ferflow.training.acceleration import accelerate
    from ferflow.training.devices import jit_compile
    from ferflow.training.losses import make_accuracy, make_loss
    from ferflow.training.optimizers import make_optimizer
    from ferflow.training.phases import set_trainable
    from ferflow.training.pipeline import steps_per_epoch, training_batches, validation_batches

    fast = accelerate(model, device.precision)
    set_trainable(fast, "head", "phases.head.trainable")
    phase = recipe.phases["head"]
    fast.compile(
        optimizer=make_optimizer(recipe.optimizer, phase.learning_rate, fast.trainable_weights),
        loss=make_loss(recipe.loss),
        metrics=[make_accuracy()],
        jit_compile=jit_compile(device),
    )
    history = fast.fit(
        training_batches(data.images, data.train, batch_size=recipe.batch_size, seed=SEED),
        steps_per_epoch=steps_per_epoch(len(data.train.rows), recipe.batch_size),
        epochs=phase.epochs,
        validation_data=validation_batches(data.images, data.val, batch_size=256),
        shuffle=False,
        verbose=2,
    )
    return float(history.history["val_accuracy"][-1])


def train_as_ferflow_does(model: keras.Model, recipe: Recipe, data: TrainingData, device: Device) -> float:
    """Train the head on features that are computed once; return the last validation accuracy."""
    from ferflow.training.fit import train

    return train(model, recipe, data, device=device, seed=SEED)[-1]["val_accuracy"]


def as_table(every_time: Phase, once: Phase, images: int, epochs: int, device: Device) -> str:
    """Return seconds, ratios and accuracies as a Markdown table."""
    rows = {"base computed in every step (Keras)": every_time, "base computed once (ferflow)": once}
    return "\n".join(
        [
            f"| frozen ResNet50, {images:,} images, {epochs} epochs, {device.kind}, {device.precision} "
            "| seconds | ratio | CPU seconds | ratio | validation accuracy |",
            "|---|---:|---:|---:|---:|---:|",
            *(
                f"| {name} | {phase.wall:.1f} | {every_time.wall / phase.wall:.2f} | {phase.cpu:.1f} "
                f"| {every_time.cpu / phase.cpu:.2f} | {phase.accuracy:.2%} |"
                for name, phase in rows.items()
            ),
        ]
    )


if __name__ == "__main__":
    run(main)
