from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ferflow.models.layers import BASE, classifier, image_input
from ferflow.params import Recipe
from ferflow.training.devices import Device
from ferflow.training.distillation import mixed_with_predictions
from ferflow.training.fit import train
from ferflow.training.pipeline import LabelledRows, TrainingData

IMAGES = np.random.default_rng(2).integers(0, 256, (9, 6, 6, 1), dtype=np.uint8)
# Neither all rows nor in their order: a target must follow its row.
SPLIT = LabelledRows(np.array([7, 0, 3, 8, 2]), np.array([4, 0, 6, 4, 1], dtype=np.int32))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(4)
    inputs, x = image_input((6, 6, 1), input_size=6)
    # Both are others in training: the one is noise, the other learns.
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(inputs, classifier(x, 7), name="linear")


def believed(model: keras.Model) -> npt.NDArray[np.float32]:
    images = IMAGES[SPLIT.rows]
    plain, mirrored = (np.asarray(model.predict_on_batch(view)) for view in (images, images[:, :, ::-1]))
    assert not np.allclose(plain, mirrored, atol=1e-3), "the mirror image makes no difference"
    return np.asarray((plain + mirrored) / 2, dtype=np.float32)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_targets_are_distributions_between_label_and_belief(model: keras.Model, share: float) -> None:
    targets = mixed_with_predictions(model, IMAGES, SPLIT, share)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, atol=1e-6)
    labels = np.eye(7)[SPLIT.labels]
    np.testing.assert_allclose(targets, (1 - share) * labels + share * believed(model), atol=1e-6)


def test_without_a_share_targets_are_the_labels(model: keras.Model) -> None:
    targets = mixed_with_predictions(model, IMAGES, SPLIT, 0.0)
    np.testing.assert_array_equal(targets, np.eye(7, dtype=np.float32)[SPLIT.labels])


def test_asking_changes_nothing_of_the_model(model: keras.Model) -> None:
    before = model.get_weights()
    mixed_with_predictions(model, IMAGES, SPLIT, 0.5)
    for ours, theirs in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def weights_taught(trainable: str, share: float) -> tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]]]:
    """Return the weights before and after one step of a phase, towards labels and what the model believes."""
    keras.utils.set_random_seed(4)
    base_input = keras.Input((16, 16, 3))
    base = keras.Model(base_input, keras.layers.Conv2D(4, 3, strides=2, name="conv")(base_input), name=BASE)
    inputs, x = image_input((16, 16, 1), input_size=16, channels=3)
    x = keras.layers.GlobalAveragePooling2D()(base(x))
    model = keras.Model(inputs, classifier(x, 7), name="two_part")
    before = model.get_weights()
    half = np.random.default_rng(2).integers(0, 256, (16, 16, 8, 1), dtype=np.uint8)
    # Symmetric: what the teacher believes of the mirror image is what the model believes.
    images = np.concatenate([half, half[:, :, ::-1]], axis=2)
    split = LabelledRows(np.arange(16), (np.arange(16) % 7).astype("int32"))
    phase: dict[str, Any] = {"trainable": trainable, "epochs": 1, "learning_rate": 0.1}
    phases = {
        # A first phase is never taught by the model; this one does nothing.
        "first": phase | {"learning_rate": 1e-30},
        "taught": phase | {"self_distillation": share},
    }
    recipe = {"input_size": 16, "batch_size": 16, "optimizer": "sgd", "phases": phases}
    data = TrainingData(images, split, split)
    train(model, Recipe.model_validate(recipe), data, device=Device("cpu", 1, "float32"), seed=1)
    return before, model.get_weights()


@pytest.mark.parametrize("trainable", ["all", "head"], ids=["on images", "on features of a frozen base"])
def test_a_model_learns_only_the_share_that_it_does_not_believe_already(trainable: str) -> None:
    before, labels_alone = weights_taught(trainable, 0.0)
    _, a_quarter_of_labels = weights_taught(trainable, 0.75)
    steps = []
    for start, plain, taught in zip(before, labels_alone, a_quarter_of_labels, strict=True):
        np.testing.assert_allclose(taught - start, 0.25 * (plain - start), atol=1e-6)
        steps.append(np.abs(plain - start).max())
    assert max(steps) > 1e-3, "nothing was learnt"
