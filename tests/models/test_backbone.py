from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ferflow.models import backbone
from ferflow.models.layers import BASE
from ferflow.models.saving import load_model, save_model
from ferflow.params.options import Pooling
from ferflow.training.acceleration import accelerate

IMAGE_SHAPE = (48, 48, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, *IMAGE_SHAPE), dtype=np.uint8)


@pytest.mark.parametrize(
    "network",
    [
        "EfficientNetB0",  # rescales in a layer of its own, and has a normalisation with weights
        "EfficientNetV2B0",  # finds its blocks by the name that its constructor is given
        "ConvNeXtTiny",  # preprocesses in a model within the model, and has layers of its own
    ],
)
def test_any_network_of_keras_can_be_the_base(network: str, tmp_path: Path) -> None:
    model = backbone.build(IMAGE_SHAPE, 7, input_size=32, network=network)
    assert model.get_layer(BASE).layers, "phases freeze the layers of the base"
    expected = keras.ops.convert_to_numpy(model(IMAGES, training=False))
    np.testing.assert_allclose(expected.sum(axis=1), 1.0, atol=1e-5)

    fast = accelerate(model, "mixed_bfloat16")
    assert [layer.name for layer in fast.get_layer(BASE).layers[1:]] == [
        layer.name for layer in model.get_layer(BASE).layers[1:]
    ]
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(IMAGES, training=False)), expected)


@pytest.mark.parametrize(
    ("network", "module"),
    [
        ("ResNet50", "resnet50"),  # caffe: BGR, means subtracted
        ("ResNet50V2", "resnet_v2"),
        ("VGG16", "vgg16"),
        ("InceptionV3", "inception_v3"),  # tf: -1 to 1
        ("MobileNet", "mobilenet"),
        ("DenseNet121", "densenet"),  # torch: means and deviations
        ("EfficientNetV2B0", "efficientnet_v2"),  # none: it is a layer of the network
        ("MobileNetV3Small", "mobilenet_v3"),
        ("ConvNeXtTiny", "convnext"),
    ],
)
def test_gray_preprocessing_is_that_of_the_network(
    network: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small_base(*_: Any, **__: Any) -> keras.Model:
        return keras.Sequential([keras.Input((48, 48, 3)), keras.layers.Conv2D(1, 3)], name=BASE)

    # What the base is made of does not matter to what comes before it.
    monkeypatch.setattr(backbone, "load_base", small_base)
    model = backbone.build(IMAGE_SHAPE, 7, input_size=48, network=network)
    preprocessing = keras.Model(model.input, model.get_layer("rescale").output)

    colour = np.repeat(IMAGES, 3, axis=-1).astype("float32")
    expected = getattr(keras.applications, module).preprocess_input(colour)
    actual = keras.ops.convert_to_numpy(preprocessing(IMAGES))
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=2e-5)


@pytest.fixture
def identity_base(monkeypatch: pytest.MonkeyPatch) -> None:
    def identity(*_: Any, **__: Any) -> keras.Model:
        inputs = keras.Input((2, 2, 3))
        return keras.Model(inputs, keras.layers.Activation("linear")(inputs), name=BASE)

    monkeypatch.setattr(backbone, "load_base", identity)


@pytest.mark.usefixtures("identity_base")
@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("avg", [1.5] * 3), ("max", [3.0] * 3), ("flatten", [0.0] * 3 + [1.0] * 3 + [2.0] * 3 + [3.0] * 3)],
)
def test_pooling_is_the_option(pooling: Pooling, expected: list[float]) -> None:
    model = backbone.build((2, 2, 1), 7, input_size=2, network="EfficientNetV2B0", pooling=pooling)
    pooled = keras.Model(model.input, model.get_layer("pool").output)
    images = np.array([0, 1, 2, 3], dtype=np.uint8).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(pooled(images)), [expected])


@pytest.mark.usefixtures("identity_base")
def test_the_head_is_made_of_the_options_in_their_order() -> None:
    def layers_of(**options: Any) -> list[str]:
        model = backbone.build((2, 2, 1), 7, input_size=2, network="EfficientNetV2B0", **options)
        names = [layer.name for layer in model.layers]
        return [
            {"Dense": "dense {units}", "Dropout": "drop {rate}"}.get(
                type(layer).__name__, type(layer).__name__
            ).format(**layer.get_config())
            for layer in model.layers[names.index(BASE) + 1 :]
        ]

    assert layers_of() == ["GlobalAveragePooling2D", "dense 7", "Softmax"]
    assert layers_of(
        base_batch_norm=True, feature_dropout=0.5, head=[5, 4], head_dropout=0.25, pooling="max"
    ) == [
        "BatchNormalization",
        "GlobalMaxPooling2D",
        "drop 0.5",
        "dense 5",
        "drop 0.25",
        "dense 4",
        "drop 0.25",
        "dense 7",
        "Softmax",
    ]
