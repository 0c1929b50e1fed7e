"""A small training, as a program that can be killed: `killable.py <checkpoint folder> <file of weights>`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ferflow import models
from ferflow.params import Recipe
from ferflow.training.checkpoint import Checkpoint
from ferflow.training.devices import prepare
from ferflow.training.fit import train
from ferflow.training.pipeline import LabelledRows, TrainingData

RECIPE = Recipe.model_validate(
    {
        "input_size": 16,
        "batch_size": 16,
        "optimizer": "adam",
        "ema_momentum": 0.9,
        "augment": {"rotation": 10.0, "horizontal_flip": True},
        "phases": {
            "first": {"trainable": "all", "epochs": 4, "learning_rate": 0.01},
            "second": {"trainable": "all", "epochs": 3, "learning_rate": 0.001, "schedule": "cosine"},
        },
    }
)


def main(weights: Path, checkpoint: Checkpoint | None) -> None:
    device = prepare("float32", seed=3)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (96, 24, 24, 1), dtype=np.uint8)
    labels = generator.integers(0, 7, 96).astype("int32")
    data = TrainingData(
        images, LabelledRows(np.arange(64), labels[:64]), LabelledRows(np.arange(64, 96), labels[64:])
    )
    model = models.build("cnn2_small", (24, 24, 1), 7, input_size=RECIPE.input_size, options={})
    train(model, RECIPE, data, device=device, seed=3, checkpoint=checkpoint)
    np.savez(weights, *model.get_weights())


if __name__ == "__main__":
    main(Path(sys.argv[2]), Checkpoint(Path(sys.argv[1]), "f" * 64))
