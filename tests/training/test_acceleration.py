from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ferflow.models.layers import BASE, classifier, image_input
from ferflow.training.acceleration import FusedBatchNormalization, accelerate
from ferflow.training.phases import set_trainable

GENERATOR = np.random.default_rng(0)
BATCHES = GENERATOR.normal(2.0, 3.0, (4, 6, 5, 7, 3)).astype("float32")
IMAGES = GENERATOR.integers(0, 256, (16, 8, 8, 1), dtype=np.uint8)
LABELS = np.arange(16, dtype=np.int32) % 7
SHAPES = {"images": (None, 5, 7, 3), "vectors": (None, 3)}
TENSORFLOW = keras.backend.backend() == "tensorflow"
fused_only = pytest.mark.skipif(not TENSORFLOW, reason="the fused kernel is TensorFlow's")
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


@fused_only
@pytest.mark.parametrize("options", [{}, {"epsilon": 0.1}, {"center": False}, {"scale": False}])
@pytest.mark.parametrize("kind", SHAPES)
def test_the_fused_layer_agrees_with_the_stock_layer(kind: str, options: dict[str, Any]) -> None:
    stock, fused = pair(SHAPES[kind], **options)
    before = stock.get_weights()
    for batch in BATCHES:
        x = of_shape(batch, kind)
        assert_close(fused(x, training=True), stock(x, training=True))
        assert_close(fused(x, training=False), stock(x, training=False))
        for ours, theirs in zip(fused.get_weights(), stock.get_weights(), strict=True):
            assert_close(ours, theirs)
    assert not np.allclose(before[-1], stock.get_weights()[-1]), "no statistic has moved"


@fused_only
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", SHAPES)
def test_the_gradients_agree(kind: str, training: bool) -> None:
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


@fused_only
def test_a_frozen_layer_keeps_its_statistics() -> None:
    _, fused = pair(SHAPES["images"])
    fused.trainable = False
    before = fused.get_weights()
    x = tf.constant(BATCHES[0])
    np.testing.assert_array_equal(fused(x, training=True), fused(x, training=False))
    for now, then in zip(fused.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@fused_only
def test_inference_keeps_the_statistics() -> None:
    _, fused = pair(SHAPES["images"])
    before = fused.get_weights()
    fused(tf.constant(BATCHES[0]), training=False)
    for now, then in zip(fused.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@fused_only
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


def plain_model() -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs, x = image_input((8, 8, 1), input_size=10)
    x = keras.layers.Conv2D(4, 3, name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm_images")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(5, name="dense")(x)
    x = keras.layers.BatchNormalization(name="norm_vectors")(x)
    return keras.Model(inputs, classifier(x, 7), name="plain")


def two_part_model() -> keras.Model:
    keras.utils.set_random_seed(3)
    base_input = keras.Input((8, 8, 3))
    x = base_input
    for number in (1, 2):
        x = keras.layers.Conv2D(4, 3, padding="same", name=f"conv_{number}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{number}", momentum=0.5)(x)
        x = keras.layers.ReLU(name=f"relu_{number}")(x)
    base = keras.Model(base_input, x, name=BASE)
    inputs, x = image_input((8, 8, 1), input_size=8, channels=3)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(base(x))
    x = keras.layers.BatchNormalization(name="norm_head")(x)
    return keras.Model(inputs, classifier(x, 7), name="two_part")


def test_the_clone_is_the_same_model_in_another_precision() -> None:
    model = plain_model()
    fast = accelerate(model, "mixed_bfloat16")
    assert [layer.name for layer in fast.layers] == [layer.name for layer in model.layers]
    computes = {layer.name: layer.compute_dtype for layer in fast.layers}
    assert computes["conv"] == computes["dense"] == computes["norm_images"] == "bfloat16"
    # A rounded image or probability would be no faster and less right.
    assert computes["rescale"] == computes["probabilities"] == "float32"
    assert fast(IMAGES, training=False).dtype == tf.float32
    assert {weight.dtype for weight in fast.weights} == {"float32"}
    assert isinstance(fast.get_layer("norm_images"), FusedBatchNormalization) is TENSORFLOW
    for ours, theirs in zip(fast.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(fast(IMAGES, training=False), model(IMAGES, training=False), atol=0.02)


def test_the_original_is_left_as_it_was() -> None:
    model = plain_model()
    before = model.get_weights()
    fast = accelerate(model, "mixed_bfloat16")
    fast.set_weights([weight + 1.0 for weight in fast.get_weights()])
    set_trainable(fast, "all", "phase")
    assert {layer.compute_dtype for layer in model.layers} <= {"float32", "uint8"}
    assert type(model.get_layer("norm_images")) is keras.layers.BatchNormalization
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_layers_inside_the_base_are_accelerated_too() -> None:
    model = two_part_model()
    fast = accelerate(model, "mixed_bfloat16")
    base, original = fast.get_layer(BASE), model.get_layer(BASE)
    assert [layer.name for layer in base.layers[1:]] == [layer.name for layer in original.layers[1:]]
    assert isinstance(base.get_layer("norm_2"), FusedBatchNormalization) is TENSORFLOW
    assert base.get_layer("conv_1").compute_dtype == "bfloat16"


@pytest.mark.parametrize(("asked", "expected"), [(None, (0.5, 0.99)), (0.9, (0.9, 0.9))])
def test_the_momentum_of_the_statistics_can_be_changed(
    asked: float | None, expected: tuple[float, float]
) -> None:
    model = two_part_model()
    fast = accelerate(model, "float32", batch_norm_momentum=asked)
    momenta = (fast.get_layer(BASE).get_layer("norm_1").momentum, fast.get_layer("norm_head").momentum)
    assert momenta == expected
    assert model.get_layer("norm_head").momentum == 0.99, "what is saved keeps the architecture's own"


def test_weights_return_to_their_layers_after_phases_with_frozen_layers() -> None:
    model = two_part_model()
    fast = accelerate(model, "float32")
    before = {weight.path: weight.numpy() for weight in model.weights}
    for trainable in ("all", 3, "head"):
        set_trainable(fast, trainable, "phase")
        fast.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", run_eagerly=True)
        fast.train_on_batch(IMAGES, LABELS)
    model.set_weights(fast.get_weights())
    moved = [path for path, value in before.items() if not np.array_equal(value, _value(model, path))]
    assert len(moved) == len(before), "the test shows nothing about a weight that did not change"
    np.testing.assert_allclose(
        model(IMAGES, training=False), fast(IMAGES, training=False), rtol=1e-4, atol=1e-5
    )


def _value(model: keras.Model, path: str) -> Any:
    return next(weight.numpy() for weight in model.weights if weight.path == path)
