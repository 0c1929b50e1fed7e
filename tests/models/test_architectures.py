from __future__ import annotations

import functools
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ferflow import models
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.models import backbone, inference
from ferflow.models.layers import BASE
from ferflow.models.saving import load_model, save_model
from ferflow.params import Budget, load_params
from ferflow.training.acceleration import accelerate

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")
BUDGETS: tuple[Budget, Budget] = ("quick", "full")
ENTRIES = [(name, budget) for name in PARAMS.models for budget in BUDGETS]
IMAGE_SHAPE = (48, 48, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, *IMAGE_SHAPE), dtype=np.uint8)
LABELS = np.arange(8, dtype=np.int32) % len(EMOTIONS)

# All parameters, and those that training can change: the rest is moving statistics.
PARAMETERS = {
    "cnn4": (4_478_727, 4_474_759),
    "cnn2_small": (1_626_055, 1_626_055),
    "resnet50_two_phase": (25_693_063, 25_639_943),
}


@functools.cache
def built(name: str, budget: Budget) -> keras.Model:
    recipe = PARAMS.recipe(name, budget)
    options: dict[str, Any] = dict(recipe.options)
    if "weights" in options:
        options["weights"] = None
    keras.utils.set_random_seed(7)
    return models.build(
        PARAMS.models[name].architecture,
        IMAGE_SHAPE,
        len(EMOTIONS),
        input_size=recipe.input_size,
        options=options,
    )


def predicted(model: keras.Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    probabilities: npt.NDArray[np.float32] = keras.ops.convert_to_numpy(model(images, training=False))
    return probabilities


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts_are_those_of_the_source(name: str, budget: Budget) -> None:
    model = built(name, budget)
    assert (model.count_params(), inference.trainable_parameters(model)) == PARAMETERS[name]


@pytest.mark.parametrize(("name", "budget"), ENTRIES)
def test_raw_images_give_probabilities(name: str, budget: Budget) -> None:
    model = built(name, budget)
    assert (model.input.dtype, model.input.shape) == ("uint8", (None, *IMAGE_SHAPE))
    assert model.output.shape == (None, len(EMOTIONS))
    probabilities = predicted(model, IMAGES[:2])
    assert probabilities.shape == (2, len(EMOTIONS)) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert not np.array_equal(probabilities[0], probabilities[1]), "the image has no influence"


@pytest.mark.parametrize("name", PARAMS.models)
def test_steps_on_a_batch_lower_its_loss(name: str) -> None:
    model = accelerate(built(name, "quick"), "float32")
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # its noise would hide the effect of a small step
    # Eager: compiling the graph of a deep network takes longer than its three steps.
    model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    losses = [float(model.train_on_batch(IMAGES, LABELS)) for _ in range(3)]
    assert losses[2] < losses[1] < losses[0]


@pytest.mark.parametrize("name", PARAMS.models)
def test_a_saved_model_predicts_the_same(name: str, tmp_path: Path) -> None:
    model = built(name, "quick")
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predicted(loaded, IMAGES), predicted(model, IMAGES))


def test_architectures_are_the_modules_that_build() -> None:
    assert {"backbone", "cnn2_small", "cnn4"} <= set(models.architectures())
    assert not {"layers", "saving", "inference"} & set(models.architectures())


@pytest.mark.parametrize("name", ["cnn9", "layers", "saving"])
def test_an_unknown_architecture_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(FerflowError, match=rf"no architecture '{name}'; there are .*cnn2_small, cnn4"):
        models.build(name, IMAGE_SHAPE, 7, input_size=48, options={})


@pytest.mark.parametrize(
    ("architecture", "option", "known"),
    [
        ("cnn4", "droput", "dropout"),
        ("cnn4", "input_size", "dropout"),
        ("backbone", "units", "network, weights, pooling, head, dropout"),
    ],
)
def test_an_unknown_option_is_named_with_the_known_ones(architecture: str, option: str, known: str) -> None:
    with pytest.raises(FerflowError, match=rf"'{architecture}' has no option '{option}'; it has {known}\."):
        models.build(architecture, IMAGE_SHAPE, 7, input_size=48, options={option: 1})


def test_options_are_checked_without_loading_a_framework() -> None:
    code = (
        "import sys; from ferflow import models; models.check_options('backbone', {'head': [8]}); "
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("network", ["ResNet51", "resnet50", "Model"])
def test_an_unknown_network_is_an_error(network: str) -> None:
    with pytest.raises(FerflowError, match=f"keras.applications has no network '{network}'"):
        backbone.build(IMAGE_SHAPE, 7, input_size=48, network=network)


def test_an_input_that_is_too_small_for_the_network_is_an_error() -> None:
    with pytest.raises(FerflowError, match=r"InceptionV3 at 74 pixels, .*75") as raised:
        backbone.build(IMAGE_SHAPE, 7, input_size=74, network="InceptionV3")
    assert "\n" not in str(raised.value)


def test_weights_that_do_not_exist_are_an_error(tmp_path: Path) -> None:
    missing = tmp_path / "weights.h5"
    with pytest.raises(FerflowError, match=f"weights '{missing}' is neither a file, nor imagenet, nor null"):
        backbone.build(IMAGE_SHAPE, 7, input_size=48, network="MobileNet", weights=str(missing))


def test_other_failures_of_a_network_are_not_disguised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(keras.applications, "MobileNet", broken)
    monkeypatch.setattr(broken, "__module__", "keras.applications.mobilenet")
    with pytest.raises(RuntimeError, match="a defect"):
        backbone.build(IMAGE_SHAPE, 7, input_size=48, network="MobileNet")


@pytest.mark.parametrize(
    ("network", "module"),
    [
        ("ResNet50", "resnet50"),  # caffe: BGR, means subtracted
        ("VGG16", "vgg16"),
        ("InceptionV3", "inception_v3"),  # tf: -1 to 1
        ("MobileNet", "mobilenet"),
        ("DenseNet121", "densenet"),  # torch: means and deviations
        ("EfficientNetV2B0", "efficientnet_v2"),  # none: it is a layer of the network
        ("ConvNeXtTiny", "convnext"),
    ],
)
def test_gray_preprocessing_is_that_of_the_network(
    network: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small_base(*_: Any) -> keras.Model:
        return keras.Sequential([keras.Input((48, 48, 3)), keras.layers.Conv2D(1, 3)], name=BASE)

    # What the base is made of does not matter to what comes before it.
    monkeypatch.setattr(backbone, "_construct", small_base)
    model = backbone.build(IMAGE_SHAPE, 7, input_size=48, network=network)
    preprocessing = keras.Model(model.input, model.get_layer("rescale").output)

    colour = np.repeat(IMAGES, 3, axis=-1).astype("float32")
    expected = getattr(keras.applications, module).preprocess_input(colour)
    actual = keras.ops.convert_to_numpy(preprocessing(IMAGES))
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(("pooling", "expected"), [("avg", 1.5), ("max", 3.0)])
def test_pooling_dropout_and_head_are_the_options(
    pooling: str, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity(*_: Any) -> keras.Model:
        inputs = keras.Input((2, 2, 3))
        return keras.Model(inputs, keras.layers.Activation("linear")(inputs), name=BASE)

    monkeypatch.setattr(backbone, "_construct", identity)
    model = backbone.build(
        (2, 2, 1),
        7,
        input_size=2,
        network="EfficientNetV2B0",
        pooling=pooling,
        head=[5, 4],
        dropout=0.25,
    )
    pooled = keras.Model(model.input, model.get_layer("pool").output)
    images = np.array([0, 1, 2, 3], dtype=np.uint8).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(pooled(images), [[expected] * 3])
    dense = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert (dense, rates) == ([5, 4, 7], [0.25] * 3)


def test_imagenet_weights_without_a_connection_are_one_line_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline(*_: Any) -> None:
        raise urllib.error.URLError("no route to host")

    # The very place where Keras turns this into a bare Exception.
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", offline)
    # Nothing may be in the cache of whoever runs this.
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    with pytest.raises(FerflowError, match="MobileNet's ImageNet weights are not in ") as raised:
        backbone.build(IMAGE_SHAPE, 7, input_size=128, network="MobileNet", weights="imagenet")
    message = str(raised.value)
    assert "URL fetch failure" in message and "use null" in message and "\n" not in message


def test_resizing_does_not_switch_to_training() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, *IMAGE_SHAPE), dtype=np.uint8)
    model = models.build("cnn4", IMAGE_SHAPE, 7, input_size=40, options={})
    statistics = model.get_weights()
    called = np.asarray(model(images))
    np.testing.assert_allclose(called, model.predict_on_batch(images), atol=1e-6)
    for before, after in zip(statistics, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not np.allclose(called, np.asarray(model(images, training=True)), atol=1e-3)


def test_unknown_pooling_is_one_line() -> None:
    with pytest.raises(FerflowError, match="pooling 'sum' is not one of avg, max"):
        backbone.build(IMAGE_SHAPE, 7, input_size=32, pooling="sum")


def test_weights_that_are_no_weights_are_one_line(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.weights.h5"
    garbage.write_bytes(b"not weights")
    with pytest.raises(FerflowError, match="garbage") as raised:
        backbone.build(IMAGE_SHAPE, 7, input_size=32, network="MobileNet", weights=str(garbage))
    assert "\n" not in str(raised.value)
