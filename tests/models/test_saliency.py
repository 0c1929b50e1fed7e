"""Maps of networks whose answer is known: they see what is bright and what is dark, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import layers

from ferflow.models.inspection.saliency import class_activation_maps, mean_class_activation_maps
from ferflow.models.saving import save_model
from ferflow.models.views import averaged_over_views

HEIGHT, WIDTH = 24, 32  # not square: the axes cannot be taken for each other
BRIGHT, DARK = 0, 1  # the classes

Images = npt.NDArray[np.uint8]


def convolution() -> layers.Layer:
    """Its first channel is how much brighter than gray a place is, its second how much darker."""
    layer = layers.Conv2D(2, 1, activation="relu")
    layer.build((None, None, None, 1))
    layer.set_weights([np.array([1.0, -1.0]).reshape(1, 1, 1, 2), np.array([-0.5, 0.5])])
    return layer


def head(x: Any, scale: float = 1.0, *, softmax: bool = True) -> Any:
    """Class 0 is for bright and against dark, class 1 the other way round."""
    x = layers.GlobalAveragePooling2D()(x) if len(x.shape) == 4 else x
    logits = layers.Dense(2, use_bias=False)
    logits.build(x.shape)
    logits.set_weights([scale * np.array([[1.0, -1.0], [-1.0, 1.0]])])
    x = logits(x)
    return layers.Softmax()(x) if softmax else x


def image_input() -> tuple[Any, Any]:
    inputs = keras.Input((HEIGHT, WIDTH, 1), dtype="uint8")
    return inputs, layers.Rescaling(1 / 255, dtype="float32")(inputs)


def plain(scale: float = 1.0, *, softmax: bool = True) -> keras.Model:
    inputs, x = image_input()
    return keras.Model(inputs, head(convolution()(x), scale, softmax=softmax))


def nested() -> keras.Model:
    inner_inputs = keras.Input((HEIGHT, WIDTH, 1))
    inner = keras.Model(inner_inputs, layers.Dropout(0.5)(convolution()(inner_inputs)), name="inner")
    outer_inputs = keras.Input((HEIGHT, WIDTH, 1))
    outer = keras.Model(outer_inputs, inner(outer_inputs), name="outer")
    inputs, x = image_input()
    return keras.Model(inputs, head(outer(x)))


def nested_sequence() -> keras.Model:
    inputs, x = image_input()
    return keras.Model(inputs, head(keras.Sequential([keras.Input((HEIGHT, WIDTH, 1)), convolution()])(x)))


def pooled() -> keras.Model:
    inputs, x = image_input()
    return keras.Model(inputs, head(layers.Dropout(0.5)(layers.AveragePooling2D(4)(convolution()(x)))))


def pooled_to_four_places() -> keras.Model:
    """Its last map is too coarse."""
    inputs, x = image_input()
    x = layers.AveragePooling2D((HEIGHT // 2, WIDTH // 2))(convolution()(x))
    return keras.Model(inputs, head(layers.ReLU()(x)))


def branched() -> keras.Model:
    """One branch sees bright, the other dark; the last map is of one of them."""
    inputs, x = image_input()
    seen = convolution()(x)
    branches = []
    for channel in range(2):
        pick = layers.Conv2D(1, 1, use_bias=False)
        pick.build((None, None, None, 2))
        pick.set_weights([np.eye(2)[channel].reshape(1, 1, 2, 1)])
        branches.append(layers.GlobalAveragePooling2D()(layers.ReLU()(pick(seen))))
    return keras.Model(inputs, head(layers.Concatenate()(branches)))


def cropped() -> keras.Model:
    inputs = keras.Input((HEIGHT, WIDTH, 1), dtype="uint8")
    x = layers.Cropping2D(((4, 0), (6, 2)))(inputs)
    x = layers.Rescaling(1 / 255, dtype="float32")(x)
    x = keras.ops.image.resize(x, (40, 48), interpolation="bilinear")
    return keras.Model(inputs, head(convolution()(x)))


NETWORKS = [plain, nested, nested_sequence, pooled, pooled_to_four_places, branched, cropped]
every_network = pytest.mark.parametrize("network", NETWORKS)


def quadrants(count: int = 1) -> tuple[Images, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Gray images, each with one bright quadrant and a dark one, and where these are."""
    generator = np.random.default_rng(0)
    images = np.full((count, HEIGHT, WIDTH, 1), 128, dtype=np.uint8)
    places = np.zeros((2, count, HEIGHT, WIDTH), dtype=bool)
    for number in range(count):
        for level, place in zip((255, 0), generator.permutation(4)[:2], strict=True):
            down, across = divmod(int(place), 2)
            rows = slice(down * HEIGHT // 2, (down + 1) * HEIGHT // 2)
            columns = slice(across * WIDTH // 2, (across + 1) * WIDTH // 2)
            images[number, rows, columns] = level
            places[0 if level else 1, number, rows, columns] = True
    return images, places[0], places[1]


@every_network
def test_only_the_quadrant_that_the_class_is_about_lights_up(network: Any) -> None:
    images, bright, dark = quadrants(6)
    seen = np.zeros((HEIGHT, WIDTH), dtype=bool)
    seen[(slice(4, None), slice(6, -2)) if network is cropped else ...] = True
    # Interpolation blurs the edges where the network resizes.
    low, high, outside = (0.85, 0.55, 0.08) if network is cropped else (0.98, 0.02, 0.01)
    for number, wanted in ((BRIGHT, bright), (DARK, dark)):
        maps = class_activation_maps(network(), images, [number] * len(images))
        assert maps is not None and maps.shape == images.shape[:3] and maps.dtype == np.float32
        assert maps.min() == 0 and (maps.max(axis=(1, 2)) == 1).all()
        for heat, area in zip(maps, wanted, strict=True):
            assert heat[area & seen].mean() > low
            assert heat[~area].max() < high
            assert heat[~area].sum() < outside * heat.sum()


def test_what_is_cropped_away_is_dark_and_the_rest_in_its_place() -> None:
    images = np.full((1, HEIGHT, WIDTH, 1), 128, dtype=np.uint8)
    images[0, 10, 20] = 255
    maps = class_activation_maps(cropped(), images, [BRIGHT])
    assert maps is not None
    assert np.unravel_index(maps[0].argmax(), maps[0].shape) == (10, 20)
    images[:] = 255
    maps = class_activation_maps(cropped(), images, [BRIGHT])
    assert maps is not None
    assert not maps[0, :4].any() and not maps[0, :, :6].any() and not maps[0, :, 30:].any()
    assert (maps[0, 4:, 6:30] > 0.99).all()


def test_a_probability_of_one_has_a_map_too() -> None:
    """Its gradient is zero; that of its logit is not."""
    images, bright, _ = quadrants()
    sure = plain(1e6)
    assert float(np.asarray(sure.predict_on_batch(images))[0, BRIGHT]) in (0.0, 1.0)
    maps = class_activation_maps(sure, images, [BRIGHT])
    expected = class_activation_maps(plain(), images, [BRIGHT])
    assert maps is not None and expected is not None
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    assert maps[bright].min() > 0.98


def test_a_network_without_a_softmax_is_asked_for_its_values() -> None:
    images, _, _ = quadrants(3)
    ours, theirs = (class_activation_maps(plain(softmax=ends), images, [0, 1, 0]) for ends in (True, False))
    assert ours is not None and theirs is not None
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_nothing_that_speaks_for_a_class_is_an_empty_map() -> None:
    bright = np.full((2, HEIGHT, WIDTH, 1), 255, dtype=np.uint8)
    maps = class_activation_maps(plain(), bright, [DARK, BRIGHT])
    assert maps is not None
    assert not maps[0].any() and (maps[1] == 1).all()


def test_an_image_has_its_map_whatever_stands_beside_it() -> None:
    images, _, _ = quadrants(70)
    classes = np.arange(70) % 2
    together = class_activation_maps(plain(), images, classes)
    alone = [class_activation_maps(plain(), images[[row]], classes[[row]]) for row in (0, 63, 64, 69)]
    assert together is not None
    for row, one in zip((0, 63, 64, 69), alone, strict=True):
        assert one is not None
        np.testing.assert_allclose(together[row], one[0], atol=1e-6)


def test_no_image_has_no_map() -> None:
    maps = class_activation_maps(plain(), np.zeros((0, HEIGHT, WIDTH, 1), np.uint8), [])
    assert maps is not None and maps.shape == (0, HEIGHT, WIDTH)


def test_a_network_of_dense_layers_has_none() -> None:
    inputs, x = image_input()
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))
    assert class_activation_maps(model, quadrants()[0], [0]) is None


def test_a_class_for_each_image() -> None:
    with pytest.raises(ValueError, match="a class for each of 2 images, got 1"):
        class_activation_maps(plain(), quadrants(2)[0], [0])


def test_views_of_an_image_have_no_map_of_it() -> None:
    averaged = averaged_over_views(plain(), horizontal_flip=True, shift=0)
    with pytest.raises(ValueError, match="2 feature maps of 1 images"):
        class_activation_maps(averaged, quadrants()[0], [0])


@every_network
def test_a_network_is_left_as_it_was(network: Any, tmp_path: Path) -> None:
    model = network()
    save_model(model, tmp_path / "before.keras")
    for _ in range(2):
        class_activation_maps(model, quadrants()[0], [BRIGHT])
    save_model(model, tmp_path / "after.keras")
    assert (tmp_path / "before.keras").read_bytes() == (tmp_path / "after.keras").read_bytes()


def test_the_map_of_an_ensemble_is_the_weighted_mean_of_those_of_its_members() -> None:
    inputs, x = image_input()
    dense = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))
    images, classes = quadrants(2)[0], [BRIGHT, DARK]
    one, two = plain(), cropped()
    maps = [class_activation_maps(model, images, classes) for model in (one, two)]
    assert maps[0] is not None and maps[1] is not None
    assert np.abs(maps[0] - maps[1]).max() > 0.1, "members that agree test nothing"
    members = {"one": one, "two": two, "without": dense}
    mean = mean_class_activation_maps(members, {"one": 3, "two": 1, "without": 9}, images, classes)
    assert mean is not None and mean.dtype == np.float32
    np.testing.assert_allclose(mean, (3 * maps[0] + maps[1]) / 4, atol=1e-6)
    assert mean_class_activation_maps({"without": dense}, {"without": 1}, images, classes) is None
