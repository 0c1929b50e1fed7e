from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ferflow import models
from ferflow.models import residual
from ferflow.models.attention import attention, spatial_attention, squeeze_and_excitation
from ferflow.params.options import Attention
from ferflow.training.acceleration import accelerate

GENERATOR = np.random.default_rng(0)
FEATURES = GENERATOR.normal(0.0, 2.0, (3, 5, 6, 16)).astype("float32")


def build(**options: Any) -> keras.Model:
    return models.build("residual", (48, 48, 1), 7, input_size=options.pop("size", 16), options=options)


def random_weights(model: keras.Model) -> None:
    model.set_weights([GENERATOR.normal(0.0, 0.5, w.shape).astype("float32") for w in model.get_weights()])


def applied(block: Any, **options: Any) -> tuple[keras.Model, npt.NDArray[np.float32]]:
    inputs = keras.Input(FEATURES.shape[1:])
    model = keras.Model(inputs, block(inputs, **options))
    random_weights(model)
    return model, keras.ops.convert_to_numpy(model(FEATURES))


def sigmoid(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(1 / (1 + np.exp(-x)))


def test_squeeze_and_excitation_is_that_of_the_paper() -> None:
    model, actual = applied(squeeze_and_excitation, ratio=2)
    squeeze, squeeze_bias, excite, excite_bias = model.get_weights()
    assert squeeze.shape == (1, 1, 16, 8)
    units = np.maximum(FEATURES.mean(axis=(1, 2)) @ squeeze[0, 0] + squeeze_bias, 0.0)
    weights = sigmoid(units @ excite[0, 0] + excite_bias)
    np.testing.assert_allclose(actual, FEATURES * weights[:, None, None], rtol=1e-4, atol=1e-5)


def test_squeeze_and_excitation_keeps_eight_units() -> None:
    model, _ = applied(squeeze_and_excitation, ratio=16)
    assert model.get_weights()[0].shape == (1, 1, 16, 8)


def test_spatial_attention_is_that_of_the_paper() -> None:
    model, actual = applied(spatial_attention, kernel_size=3)
    (kernel,) = model.get_weights()
    description = np.stack([FEATURES.mean(axis=-1), FEATURES.max(axis=-1)], axis=-1)
    padded = np.pad(description, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    weights = sigmoid(np.einsum("nhwcij,ijco->nhwo", windows, kernel))
    np.testing.assert_allclose(actual, FEATURES * weights, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "parameters"), [(None, 0), ("se", 2 * 16 * 8 + 8 + 16), ("spatial", 98), ("both", 280 + 98)]
)
def test_kinds_of_attention(kind: Attention, parameters: int) -> None:
    inputs = keras.Input(FEATURES.shape[1:])
    outputs = attention(inputs, kind, ratio=8)
    assert outputs.shape == inputs.shape
    assert keras.Model(inputs, outputs).count_params() == parameters


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 2_732_879),
        ({"attention": "both"}, 2_733_369),
        ({"attention": None}, 2_689_959),
        ({"attention": None, "blocks": [1, 1, 2]}, 2_394_023),
    ],
)
def test_parameter_counts_are_those_of_the_table(options: dict[str, Any], parameters: int) -> None:
    assert build(size=40, **options).count_params() == parameters
    assert f"| {parameters:,} |" in str(residual.__doc__)


def test_stages_halve_the_resolution_but_for_the_first() -> None:
    model = build(size=40, stem_stride=1, widths=[8, 16, 24], blocks=[2, 1, 2], attention=None)
    sums = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.Add)]
    assert sums == [(40, 40, 8)] * 2 + [(20, 20, 16)] + [(10, 10, 24)] * 2


def test_a_shortcut_shrinks_by_the_mean_of_its_places() -> None:
    model = build(size=48, stem=8, widths=[8, 8], blocks=[1, 1], attention=None)
    before, after = (layer for layer in model.layers if isinstance(layer, keras.layers.Add))
    random_weights(model)
    images = GENERATOR.integers(0, 256, (2, 48, 48, 1), dtype=np.uint8)
    _, shortcut = after.input  # of equal widths: nothing but the shrinking is on it
    sums, shrunk = (
        keras.ops.convert_to_numpy(value)
        for value in keras.Model(model.input, [before.output, shortcut])(images, training=False)
    )
    expected = np.maximum(sums, 0.0).reshape(2, 12, 2, 12, 2, 8).mean(axis=(2, 4))
    np.testing.assert_allclose(shrunk, expected, rtol=1e-4, atol=1e-4)


def test_every_block_starts_as_its_shortcut() -> None:
    options: dict[str, Any] = {"widths": [8, 8], "blocks": [2, 2], "stem": 8, "attention": None}
    images = GENERATOR.integers(0, 256, (2, 48, 48, 1), dtype=np.uint8)
    model = build(size=48, **options)
    sums = [layer for layer in model.layers if isinstance(layer, keras.layers.Add)]
    probe = keras.Model(model.input, [tensor for layer in sums for tensor in (*layer.input, layer.output)])
    values = [keras.ops.convert_to_numpy(value) for value in probe(images)]
    for branch, shortcut, total in zip(values[::3], values[1::3], values[2::3], strict=True):
        np.testing.assert_array_equal(branch, 0.0)
        np.testing.assert_array_equal(total, shortcut)
    usual = build(size=48, zero_gamma=False, **options)
    assert all(
        w.max() > 0 for w, v in zip(usual.get_weights(), usual.weights, strict=True) if "gamma" in v.path
    )


@pytest.mark.parametrize(("field", "margin"), [(1.0, 0), (0.92, 2), (0.5, 12)])
def test_the_field_is_the_middle_of_the_image(field: float, margin: int) -> None:
    image = GENERATOR.integers(0, 256, (1, 48, 48, 1), dtype=np.uint8)
    side = 48 - 2 * margin
    model = build(size=side, field=field)
    # In half precision too: a picture that was rounded before it is scaled is a worse picture.
    for each in (model, accelerate(model, "mixed_bfloat16")):
        seen = keras.Model(each.input, each.get_layer("rescale").output)(image)
        expected = image[:, margin : margin + side, margin : margin + side] / 64 - 2.0
        np.testing.assert_allclose(keras.ops.convert_to_numpy(seen), expected, atol=1e-6)
    assert model.output.shape == (None, 7)


def test_an_odd_resolution_is_halved_upwards_on_both_paths() -> None:
    assert build(size=45).output.shape == (None, 7)


def test_options_reach_their_layers() -> None:
    model = build(batch_norm_momentum=0.8, dropout=0.4, pooling="max", stem=12, stem_kernel=7)
    kinds: dict[str, list[Any]] = {}
    for layer in model.layers:
        kinds.setdefault(type(layer).__name__, []).append(layer)
    assert {layer.momentum for layer in kinds["BatchNormalization"]} == {0.8}
    assert [layer.rate for layer in kinds["Dropout"]] == [0.4]
    assert "GlobalMaxPooling2D" in kinds
    stem = kinds["Conv2D"][0]
    assert (stem.filters, stem.kernel_size, stem.use_bias) == (12, (7, 7), False)
