from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from ferflow.errors import FerflowError
from ferflow.models.layers import BASE, classifier, image_input
from ferflow.params import AugmentParams, Recipe
from ferflow.params.training import NO_AUGMENTATION
from ferflow.training import fit
from ferflow.training.acceleration import accelerate
from ferflow.training.augment import make_augmentation
from ferflow.training.devices import Device, Precision
from ferflow.training.features import split_after_base, with_features
from ferflow.training.phases import set_trainable
from ferflow.training.pipeline import LabelledRows, TrainingData, training_batches
from ferflow.training.sampling import epoch_order

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 1), dtype=np.uint8)
LABELS = (np.arange(60) % 7).astype("int32")
ROWS = np.random.default_rng(1).permutation(60)
DATA = TrainingData(IMAGES, LabelledRows(ROWS[:40], LABELS[:40]), LabelledRows(ROWS[40:], LABELS[40:]))
ALL = [np.arange(40)]


def a_model(*, base_norm: bool = False, precision: Precision = "float32") -> keras.Model:
    keras.utils.set_random_seed(5)
    base_input = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, name="conv")(base_input)
    x = keras.layers.BatchNormalization(name="norm", momentum=0.5)(x)
    x = keras.layers.Dropout(0.5, name="base_dropout")(keras.layers.ReLU(name="relu")(x))
    base = keras.Model(base_input, x, name=BASE)
    inputs, x = image_input((16, 16, 1), input_size=16, channels=3)
    x = base(x)
    if base_norm:
        x = keras.layers.BatchNormalization(name="base_norm")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dense(8, activation="relu", name="dense")(x)
    model = accelerate(keras.Model(inputs, classifier(x, 7), name="two_part"), precision)
    set_trainable(model, "head", "phase")
    return model


def a_recipe(**changes: Any) -> Recipe:
    phase = {"trainable": "head", "epochs": 3, "learning_rate": 0.05} | changes.pop("phase", {})
    values: dict[str, Any] = {"input_size": 16, "batch_size": 16, "optimizer": "adam"}
    return Recipe.model_validate(values | {"phases": {"head": phase}} | changes)


def computed(
    model: keras.Model, file: Path, *, visited: Any = ALL, augment: AugmentParams | None = None
) -> TrainingData:
    return with_features(
        split_after_base(model).extractor,
        DATA,
        file,
        visited=visited,
        augment=make_augmentation(augment, 1) if augment else None,
        batch_size=3,
    )


def test_features_are_what_the_base_makes_of_the_images(tmp_path: Path) -> None:
    model = a_model()
    data = computed(model, tmp_path / "features.npy")
    expected = split_after_base(model).extractor(IMAGES, training=False)
    for split, images in ((data.train, DATA.train), (data.val, DATA.val)):
        rows = np.atleast_2d(split.rows)[0]
        np.testing.assert_allclose(data.images[rows], np.asarray(expected)[images.rows], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(split.labels, images.labels)


@pytest.mark.parametrize(("base_norm", "shape"), [(False, (None, 4)), (True, (None, 7, 7, 4))])
def test_the_cut_is_before_the_first_layer_that_trains(base_norm: bool, shape: tuple[Any, ...]) -> None:
    model = a_model(base_norm=base_norm)
    parts = split_after_base(model)
    assert parts.extractor.output_shape == shape
    trained = {weight.path for weight in model.trainable_weights}
    assert {weight.path for weight in parts.head.trainable_weights} == trained
    assert {weight.path for weight in parts.whole.trainable_weights} == trained
    assert parts.extractor.trainable_weights == []
    np.testing.assert_allclose(
        parts.head(parts.extractor(IMAGES, training=False)), model(IMAGES, training=False), atol=1e-6
    )


def test_a_frozen_base_runs_in_inference_mode_whether_features_are_kept_or_not() -> None:
    model = a_model()
    whole = split_after_base(model).whole
    np.testing.assert_array_equal(whole(IMAGES, training=True), model(IMAGES, training=False))
    assert not np.allclose(model(IMAGES, training=True), model(IMAGES, training=False)), "nothing is dropped"


class Trained(NamedTuple):
    losses: list[float]
    weights: list[Any]


def trained(recipe: Recipe, precision: Precision = "float32") -> Trained:
    model = a_model()
    history = fit.train(model, recipe, DATA, device=Device("cpu", 1, precision), seed=1)
    return Trained([row["loss"] for row in history], model.get_weights())


# A backend rounds what it fuses once, and what it computes apart twice: bfloat16 has three digits.
@pytest.mark.parametrize(("precision", "rounding"), [("float32", 1e-3), ("mixed_bfloat16", 5e-3)])
def test_keeping_features_does_not_change_what_is_learned(
    precision: Precision, rounding: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = trained(a_recipe(), precision)

    def not_kept(self: Any, *_: Any) -> Any:
        return split_after_base(self.model).whole, self.data, NO_AUGMENTATION

    monkeypatch.setattr(fit._Training, "_parts", not_kept)
    not_kept_ = trained(a_recipe(), precision)
    np.testing.assert_allclose(kept.losses, not_kept_.losses, rtol=1e-3)
    for ours, theirs in zip(kept.weights, not_kept_.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=rounding)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, 40 + 20),
        ({"samples_per_epoch": 5}, None),
        ({"augment": {"rotation": 9.0}}, 0),
        ({"augment": {"rotation": 9.0}, "phase": {"augment": False}}, 40 + 20),
        ({"augment": {"rotation": 9.0}, "phase": {"cached_views": 2}}, 2 * 40 + 20),
        ({"augment": {"rotation": 9.0}, "phase": {"cached_views": 50}}, 3 * 40 + 20),
        ({"phase": {"trainable": "all"}}, 0),
    ],
)
def test_features_are_computed_once_for_what_is_visited(
    changes: dict[str, Any], kept: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    predict = keras.Model.predict_on_batch

    def watched(self: Any, batch: Any) -> Any:
        seen.append(len(batch))
        return predict(self, batch)

    monkeypatch.setattr(keras.Model, "predict_on_batch", watched)
    trained(a_recipe(**changes))
    if kept is None:
        visited = {*np.concatenate([epoch_order(DATA.train.labels, 5, seed=1, epoch=e) for e in range(3)])}
        kept = len(visited) + 20
        assert kept < 60
    assert sum(seen) == kept


def test_features_of_other_images_are_computed_again(tmp_path: Path) -> None:
    file = tmp_path / "f.npy"
    computed(a_model(), file, visited=[np.arange(39)])
    data = computed(a_model(), file)
    expected = computed(a_model(), tmp_path / "new.npy")
    np.testing.assert_array_equal(data.images, expected.images)


def test_every_view_is_another_change_and_epochs_take_them_in_turn(tmp_path: Path) -> None:
    data = computed(
        a_model(), tmp_path / "f.npy", visited=[*ALL, *ALL], augment=AugmentParams(rotation=30.0, noise=0.1)
    )
    assert data.train.rows.shape == (2, 40)
    views = data.images[data.train.rows]
    assert not np.isclose(views[0], views[1]).all(axis=1).any()
    stream = iter(training_batches(data.images, data.train, batch_size=40, seed=1).as_numpy_iterator())
    epochs = [next(stream)[0] for _ in range(4)]
    for number, epoch in enumerate(epochs):
        assert {row.tobytes() for row in epoch} == {row.tobytes() for row in views[number % 2]}
    plain = computed(a_model(), tmp_path / "plain.npy")
    np.testing.assert_allclose(data.images[data.val.rows], plain.images[plain.val.rows], rtol=1e-5, atol=1e-6)


def test_what_is_not_computed_cannot_be_trained_on(tmp_path: Path) -> None:
    data = computed(a_model(), tmp_path / "f.npy", visited=[np.array([3, 7])])
    assert len(data.images) == 2 + 20
    with pytest.raises(IndexError):
        data.images[data.train.rows[0, 4]]


def test_bfloat16_features_take_two_bytes(tmp_path: Path) -> None:
    data = computed(a_model(precision="mixed_bfloat16"), tmp_path / "f.npy")
    assert data.images.dtype == tf.bfloat16.as_numpy_dtype
    assert data.images.nbytes == 2 * 60 * 4
    exact = computed(a_model(), tmp_path / "g.npy")
    np.testing.assert_allclose(data.images.astype("float32"), exact.images, rtol=0.05, atol=0.01)


def test_too_small_a_disk_is_noticed_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=900))
    with pytest.raises(FerflowError, match=r"take 0\.0 GB, and .* has 0\.0 GB left: make room"):
        computed(a_model(), tmp_path / "f.npy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phase": {"cached_views": 2}}, "says nothing without augmentation"),
        (
            {"augment": {"noise": 0.1}, "phase": {"cached_views": 2, "augment": False}},
            "says nothing without augmentation",
        ),
        (
            {"augment": {"noise": 0.1}, "phase": {"cached_views": 2, "trainable": 3}},
            "needs `trainable: head`",
        ),
        ({"augment": {"mixup": 0.1}, "phase": {"cached_views": 2}}, "mixup and cutmix mix other images"),
        ({"augment": {"noise": 0.1}, "phase": {"cached_views": 0}}, "greater than or equal to 1"),
    ],
)
def test_views_that_cannot_be_cached_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        a_recipe(**changes)
