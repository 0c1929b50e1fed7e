"""A saved model is taken apart into the networks that it was made of, whatever it was made like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import layers

from ferflow.models.ensemble import ensemble
from ferflow.models.inspection.explained import explained, networks_of
from ferflow.models.inspection.saliency import class_activation_maps, mean_class_activation_maps
from ferflow.models.saving import load_model, save_model
from ferflow.models.views import averaged_over_views

SHAPE = (12, 12, 1)
IMAGES: npt.NDArray[np.uint8] = np.random.default_rng(4).integers(0, 256, (3, *SHAPE), dtype=np.uint8)
CLASSES = [0, 2, 1]


def network(seed: int, *, name: str = "small") -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(SHAPE, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, dtype="float32")(inputs)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(x))
    return keras.Model(inputs, layers.Softmax(dtype="float32")(layers.Dense(3)(x)), name=name)


def dense() -> keras.Model:
    inputs = keras.Input(SHAPE, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, dtype="float32")(inputs)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)), name="dense")


def reopened(model: keras.Model, folder: Path) -> keras.Model:
    save_model(model, folder / "model.keras")
    return load_model(folder / "model.keras")


def views(model: keras.Model) -> keras.Model:
    return averaged_over_views(model, horizontal_flip=True, shift=1)


@pytest.mark.parametrize("over_views", [False, True])
def test_one_network_is_itself(over_views: bool, tmp_path: Path) -> None:
    plain = network(1)
    model = reopened(views(plain) if over_views else plain, tmp_path)
    found = networks_of(model)
    assert found.weights == {"small": 1.0}
    np.testing.assert_allclose(
        found.members["small"].predict_on_batch(IMAGES), plain.predict_on_batch(IMAGES), atol=1e-6
    )
    maps, expected = explained(model, IMAGES, CLASSES), class_activation_maps(plain, IMAGES, CLASSES)
    assert maps is not None and expected is not None
    np.testing.assert_allclose(maps, expected, atol=1e-5)


@pytest.mark.parametrize("over_views", [False, True])
def test_an_ensemble_is_its_members_and_their_weights(over_views: bool, tmp_path: Path) -> None:
    members = {"b": network(1), "a": network(2)}
    whole: keras.Model = ensemble(members, {"b": 3, "a": 1}, name="vote")
    model = reopened(views(whole) if over_views else whole, tmp_path)
    found = networks_of(model)
    assert found.weights == pytest.approx({"a": 0.25, "b": 0.75})
    mean = sum(found.weights[name] * found.members[name].predict_on_batch(IMAGES) for name in "ab")
    np.testing.assert_allclose(mean, whole.predict_on_batch(IMAGES), atol=1e-6)
    maps = explained(model, IMAGES, CLASSES)
    expected = mean_class_activation_maps(members, {"b": 3, "a": 1}, IMAGES, CLASSES)
    assert maps is not None and expected is not None
    np.testing.assert_allclose(maps, expected, atol=1e-5)


def test_an_ensemble_of_one_is_that_one(tmp_path: Path) -> None:
    found = networks_of(reopened(ensemble({"only": network(1)}), tmp_path))
    assert found.weights == {"only": 1.0}
    assert found.members["only"].name == "member_only"


def test_members_that_average_over_views_themselves_have_their_own_maps(tmp_path: Path) -> None:
    inner = network(1)
    model = reopened(ensemble({"seen": views(inner), "plain": network(2)}), tmp_path)
    expected = mean_class_activation_maps(
        {"seen": inner, "plain": network(2)}, {"seen": 1, "plain": 1}, IMAGES, CLASSES
    )
    maps = explained(model, IMAGES, CLASSES)
    assert maps is not None and expected is not None
    np.testing.assert_allclose(maps, expected, atol=1e-5)


def test_a_backbone_inside_a_network_is_no_member() -> None:
    features = keras.Input((12, 12, 1))
    backbone = keras.Model(features, layers.Conv2D(4, 3, activation="relu")(features), name="member_x")
    inputs = keras.Input(SHAPE, dtype="uint8")
    x = layers.GlobalAveragePooling2D()(backbone(layers.Rescaling(1 / 255, dtype="float32")(inputs)))
    model = keras.Model(inputs, layers.Softmax()(layers.Dense(3)(x)), name="whole")
    assert networks_of(model).weights == {"whole": 1.0}
    assert explained(model, IMAGES, CLASSES) is not None


class Opaque(keras.Model):  # type: ignore[misc]
    """A model whose steps nobody knows."""

    def call(self, x: Any) -> Any:
        return x


def test_what_has_no_map_says_so() -> None:
    assert explained(dense(), IMAGES, CLASSES) is None
    assert explained(ensemble({"a": dense(), "b": dense()}), IMAGES, CLASSES) is None
    assert explained(Opaque(), IMAGES, CLASSES) is None
    with pytest.raises(ValueError, match="neither a functional nor a sequential"):
        networks_of(Opaque())
