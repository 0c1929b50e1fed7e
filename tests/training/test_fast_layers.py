from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ferflow.training.fast_layers import ByteDropout, FusedBatchNormalization, MatrixGradientConv2D

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="these layers are TensorFlow's"
)

GENERATOR = np.random.default_rng(0)
BATCHES = GENERATOR.normal(2.0, 3.0, (4, 6, 5, 7, 3)).astype("float32")
SHAPES = {"images": (None, 5, 7, 3), "vectors": (None, 3)}
assert_close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)


def pair(shape: tuple[int | None, ...], **options: Any) -> list[Any]:
    """Return the stock layer and the fused one, with equal weights that are not the initial ones."""
    stock = keras.layers.BatchNormalization(momentum=0.8, name="norm", **options)
    fused = FusedBatchNormalization.from_config(stock.get_config())
    for layer in (stock, fused):
        layer.build(shape)
    weights = [GENERATOR.uniform(0.5, 2.0, weight.shape).astype("float32") for weight in stock.weights]
    for layer in (stock, fused):
        layer.set_weights(weights)
    return [stock, fused]


def of_shape(batch: Any, kind: str) -> Any:
    return tf.constant(batch if kind == "images" else batch[:, 0, 0])


@pytest.mark.parametrize("options", [{}, {"epsilon": 0.1}, {"center": False}, {"scale": False}])
@pytest.mark.parametrize("kind", SHAPES)
def test_fused_normalisation_agrees_with_the_stock_layer(kind: str, options: dict[str, Any]) -> None:
    stock, fused = pair(SHAPES[kind], **options)
    before = stock.get_weights()
    for batch in BATCHES:
        x = of_shape(batch, kind)
        assert_close(fused(x, training=True), stock(x, training=True))
        assert_close(fused(x, training=False), stock(x, training=False))
        for ours, theirs in zip(fused.get_weights(), stock.get_weights(), strict=True):
            assert_close(ours, theirs)
    assert not np.allclose(before[-1], stock.get_weights()[-1]), "no statistic has moved"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", SHAPES)
def test_the_gradients_of_fused_normalisation_agree(kind: str, training: bool) -> None:
    x = of_shape(BATCHES[0], kind)
    direction = of_shape(BATCHES[1], kind)
    gradients = []
    for layer in pair(SHAPES[kind]):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=training) * direction)
        gradients.append(tape.gradient(loss, [x, layer.gamma.value, layer.beta.value]))
    for theirs, ours in zip(*gradients, strict=True):
        assert float(tf.reduce_max(tf.abs(theirs))) > 0.01
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(tf.reduce_max(tf.abs(theirs))))


def test_a_frozen_normalisation_keeps_its_statistics() -> None:
    _, fused = pair(SHAPES["images"])
    fused.trainable = False
    before = fused.get_weights()
    x = tf.constant(BATCHES[0])
    np.testing.assert_array_equal(fused(x, training=True), fused(x, training=False))
    for now, then in zip(fused.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_inference_keeps_the_statistics() -> None:
    _, fused = pair(SHAPES["images"])
    before = fused.get_weights()
    fused(tf.constant(BATCHES[0]), training=False)
    for now, then in zip(fused.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_statistics_stay_in_full_precision() -> None:
    fused = FusedBatchNormalization(dtype="mixed_bfloat16")
    outputs = fused(tf.constant(BATCHES[0]), training=True)
    assert outputs.dtype == tf.bfloat16
    assert {weight.dtype for weight in fused.weights} == {"float32"}
    stock = keras.layers.BatchNormalization()
    expected = stock(tf.constant(BATCHES[0]), training=True)
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, atol=0.05)
    for ours, theirs in zip(fused.get_weights(), stock.get_weights(), strict=True):
        # Only the input was rounded, to three digits.
        np.testing.assert_allclose(ours, theirs, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.005)])
def test_a_convolution_and_its_gradients_agree_with_the_stock_layer(
    dtype: str, tolerance: float, use_bias: bool, activation: str | None
) -> None:
    """In a graph, as trainings run, on so many pixels that a sum in bfloat16 would be far off."""
    shape = (64, 8, 7, 256)
    stock = keras.layers.Conv2D(256, 3, padding="same", use_bias=use_bias, activation=activation, dtype=dtype)
    ours = MatrixGradientConv2D.from_config(stock.get_config())
    for layer in (stock, ours):
        layer.build(shape)
    ours.set_weights(stock.get_weights())
    inputs = tf.constant(GENERATOR.normal(size=shape), tf.float32)
    # Not about zero, so that the sums of the bias are large.
    direction = tf.constant(GENERATOR.normal(0.3, 1.0, shape), tf.float32)

    def convolved(layer: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * direction)
        weights = [weight.value for weight in layer.trainable_weights]
        return [tf.cast(outputs, tf.float32), *tape.gradient(loss, [inputs, *weights])]

    theirs, results = (tf.function(convolved)(layer) for layer in (stock, ours))
    assert len(results) == 3 + use_bias
    for result, their in zip(results, theirs, strict=True):
        assert result.dtype == tf.float32
        assert np.linalg.norm(result - their) / np.linalg.norm(their) < tolerance
    again = tf.function(convolved)(ours)
    for result, repeated in zip(results, again, strict=True):
        np.testing.assert_array_equal(result, repeated)


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((2, 4, 4, 256), {}, True),
        ((2, 12, 12, 256), {}, True),
        ((2, 13, 12, 256), {}, False),
        ((2, 4, 4, 255), {}, False),
        ((2, 4, 4, 256), {"filters": 255}, False),
        ((2, 4, 4, 256), {"strides": 2}, False),
        ((2, 4, 4, 256), {"dilation_rate": 2}, False),
        ((2, 4, 4, 256), {"groups": 2}, False),
        ((2, 4, 4, 256), {"padding": "valid"}, False),
        ((2, 4, 4, 256), {"kernel_size": 2}, False),
        ((2, 4, 4, 256), {"kernel_size": 5}, False),
        ((2, 4, 4, 256), {"kernel_size": 1}, False),
    ],
)
def test_only_convolutions_that_gain_have_another_gradient(
    shape: tuple[int, ...], options: dict[str, Any], expected: bool
) -> None:
    layer = MatrixGradientConv2D(**{"filters": 256, "kernel_size": 3, "padding": "same", **options})
    layer.build(shape)

    def gradient(inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs))
        return tape.gradient(loss, layer.kernel.value)

    graph = tf.function(gradient).get_concrete_function(tf.zeros(shape)).graph
    operations = {each.type for each in graph.get_operations()}
    assert ("MatMul" in operations) is expected
    assert np.isfinite(gradient(tf.zeros(shape))).all(), "what is left to the stock layer must work there"


def test_an_image_of_unknown_size_is_left_to_the_stock_layer() -> None:
    inputs = keras.Input((None, None, 256))
    outputs = MatrixGradientConv2D(256, 3, padding="same")(inputs)
    assert keras.Model(inputs, outputs)(np.zeros((1, 4, 4, 256), np.float32)).shape == (1, 4, 4, 256)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(("rate", "dropped"), [(0.1, 26), (0.25, 64), (0.3, 77), (0.5, 128)])
def test_dropout_drops_its_share_and_scales_the_rest_by_it(rate: float, dropped: int, dtype: str) -> None:
    layer = ByteDropout(rate, seed=1, dtype=dtype)
    outputs = layer(tf.ones((1001, 333)), training=True)
    zero = np.asarray(outputs == 0)
    share = dropped / 256
    assert zero.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / zero.size))
    kept = np.unique(tf.cast(outputs, tf.float32)[~zero])
    np.testing.assert_array_equal(kept, [float(tf.cast(1 / (1 - share), layer.compute_dtype))])
    # Values know nothing of each other, those that were drawn as one word neither.
    flat = zero.ravel().astype(float)
    for distance in (1, 2, 3, 4, 333):
        assert abs(np.corrcoef(flat[distance:], flat[:-distance])[0, 1]) < 4 / np.sqrt(zero.size)


def test_dropout_changes_from_step_to_step_and_starts_over_with_its_seed() -> None:
    x = tf.ones((7, 9))
    layer, again = (ByteDropout(0.5, seed=3) for _ in range(2))
    first, second = (np.asarray(layer(x, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again(x, training=True))


def test_the_gradient_of_dropout_is_that_of_what_was_kept() -> None:
    layer = ByteDropout(0.5, seed=5)
    x = tf.constant(GENERATOR.normal(size=(20, 11)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=True)
    np.testing.assert_array_equal(tape.gradient(outputs, x), np.where(np.asarray(outputs) != 0, 2.0, 0.0))


@pytest.mark.parametrize(
    "options",
    [
        {"rate": 0.0},
        {"rate": 0.001},
        {"rate": 0.006},
        {"rate": 0.999},
        {"rate": 0.5, "noise_shape": (None, 1)},
    ],
)
def test_dropout_that_bytes_cannot_say_or_of_whole_rows_is_the_stock_layer(options: dict[str, Any]) -> None:
    x = tf.ones((40, 50))
    ours, stock = (kind(seed=7, **options) for kind in (ByteDropout, keras.layers.Dropout))
    np.testing.assert_array_equal(ours(x, training=True), stock(x, training=True))


def test_nothing_is_dropped_outside_training() -> None:
    x = tf.constant(BATCHES[0])
    np.testing.assert_array_equal(ByteDropout(0.5)(x, training=False), x)
    np.testing.assert_array_equal(ByteDropout(0.5)(x), x)
