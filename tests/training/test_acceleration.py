from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ferflow.models.layers import BASE, classifier, image_input
from ferflow.training.acceleration import accelerate
from ferflow.training.devices import Precision
from ferflow.training.fast_layers import ByteDropout, FusedBatchNormalization, MatrixGradientConv2D
from ferflow.training.phases import set_trainable

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (16, 8, 8, 1), dtype=np.uint8)
LABELS = np.arange(16, dtype=np.int32) % 7
TENSORFLOW = keras.backend.backend() == "tensorflow"


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


@pytest.mark.parametrize(
    ("precision", "gpus", "fast"),
    [
        ("mixed_bfloat16", [], {"conv": MatrixGradientConv2D, "dropout": ByteDropout}),
        ("float32", [], {"dropout": ByteDropout}),
        ("mixed_bfloat16", ["a GPU"], {}),
    ],
)
def test_layers_train_as_fast_kinds_where_those_are_faster(
    precision: Precision, gpus: list[str], fast: dict[str, type], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda _: gpus)
    inputs, x = image_input((8, 8, 1), input_size=8)
    x = keras.layers.Conv2D(4, 3, name="conv")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    model = keras.Model(inputs, classifier(keras.layers.Flatten()(x), 7), name="small")
    stock = {"conv": keras.layers.Conv2D, "dropout": keras.layers.Dropout}
    expected = stock | (fast if TENSORFLOW else {})
    clone = accelerate(model, precision)
    assert {name: type(clone.get_layer(name)) for name in stock} == expected


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
