"""Small models and drawn images, for the tests of the export."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from ferflow import models
from ferflow.data.arrays import Images
from ferflow.export.images import ExportImages
from ferflow.labels import EMOTIONS
from ferflow.models.ensemble import ensemble
from ferflow.models.views import averaged_over_views

SHAPE = (16, 16, 1)


def network(seed: int = 1, architecture: str = "residual") -> keras.Model:
    """A real architecture whose normalisations do something; its answers are far from uniform."""
    keras.utils.set_random_seed(seed)
    residual = {"widths": [8, 8], "blocks": [1, 1], "stem": 8}
    options = residual if architecture == "residual" else {}
    model = models.build(architecture, SHAPE, 7, input_size=16, options=options)
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in {"gamma", "moving_variance"}:
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return model


def model_called(name: str) -> keras.Model:
    """One of the kinds of models that are registered."""
    if name != "whole":
        return network(architecture=name)
    # An ensemble over views of each image: all that a champion may be.
    both = ensemble({"one": network(1), "two": network(2)}, {"one": 3, "two": 1})
    return averaged_over_views(both, horizontal_flip=True, shift=1)


def drawn(count: int, seed: int) -> Images:
    """Images with edges and gradients, uint8 (count, *SHAPE)."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, 4, 4, 1))
    return np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2).astype(np.uint8)


def export_images(model: keras.Model, tests: int = 60) -> ExportImages:
    """Images of all splits; the labels are what the model says of each, but for every tenth."""
    test = drawn(tests, 3)
    labels = np.asarray(model.predict_on_batch(test)).argmax(axis=1)
    labels[::10] = (labels[::10] + 1) % len(EMOTIONS)
    return ExportImages(drawn(40, 1), drawn(20, 2), test, labels.astype(np.intp))


def data_folder(folder: Path, splits: tuple[str, ...] = ("train", "train", "val", "test")) -> Path:
    """A data set as the pipeline writes it, of 40 images."""
    count = 40
    folder.mkdir(parents=True)
    ids = [f"id{number:02}" for number in range(count)]
    np.save(folder / "images.npy", drawn(count, 5))
    labels = [EMOTIONS[number % 7] for number in range(count)]
    pd.DataFrame({"sample_id": ids, "label": labels}).to_parquet(folder / "samples.parquet")
    of_samples = [splits[number % len(splits)] for number in range(count)]
    # In another order: rows are joined by id.
    table = pd.DataFrame({"sample_id": ids, "split": of_samples})[::-1]
    table.to_parquet(folder / "splits.parquet")
    return folder
