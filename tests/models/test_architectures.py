from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ferflow import models
from ferflow.labels import EMOTIONS
from ferflow.models.inference import trainable_parameters
from ferflow.models.inspection.saliency import class_activation_maps
from ferflow.models.layers import BASE
from ferflow.models.saving import load_model, save_model
from ferflow.params import load_params
from ferflow.training import phases
from ferflow.training.acceleration import accelerate

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")
IMAGE_SHAPE = (48, 48, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, *IMAGE_SHAPE), dtype=np.uint8)
LABELS = np.arange(8, dtype=np.int32) % len(EMOTIONS)


@dataclass(frozen=True)
class Entry:
    """An entry of `models:`; its parameters are all, and those that are no moving statistics."""

    architecture: str
    options: dict[str, Any]
    input_size: int = 48  # of the test: pooled networks have their parameters at any size
    full: dict[str, Any] = field(default_factory=dict)  # options that the full budget has instead
    parameters: tuple[int, int] | None = None
    # What trains in a phase: of the whole model, and of its base.
    phases: dict[Literal["head"] | int, tuple[int, int]] = field(default_factory=dict)


def backbone(network: str, **entry: Any) -> Entry:
    options = {"network": network, "weights": None} | entry.pop("options")
    return Entry("backbone", options, **entry)


KNOWN = {
    "cnn4": Entry("cnn4", {"dropout": 0.25}, parameters=(4_478_727, 4_474_759)),
    "cnn6_l2": Entry(
        "cnn6_l2",
        {"dropout": 0.25, "head_dropout": 0.5, "l2": 0.01},
        parameters=(22_813_703, 22_812_039),
    ),
    "cnn2_small": Entry("cnn2_small", {"dropout": 0.5}, 64, parameters=(1_626_055, 1_626_055)),
    "resnet50_two_phase": backbone(
        "ResNet50",
        options={"pooling": "avg", "head": [1024]},
        parameters=(25_693_063, 25_639_943),
        phases={"head": (2_105_351, 0), 4: (3_160_071, 1_054_720)},
    ),
    "resnet50_full": backbone(
        "ResNet50", options={"pooling": "avg", "head": [1024]}, parameters=(25_693_063, 25_639_943)
    ),
    "resnet50v2_mlp": backbone(
        "ResNet50V2",
        options={
            "base_batch_norm": True,
            "pooling": "avg",
            "head": [512, 256, 128],
            "head_dropout": 0.1,
        },
        parameters=(24_787_207, 24_737_671),
        phases={"head": (1_218_311, 0)},
    ),
    # Flattened, one place of 512 channels is left of 48 pixels; of the source's 224 pixels, 49 are.
    "vgg16_last3": backbone(
        "VGG16",
        options={"pooling": "flatten"},
        parameters=(14_718_279, 14_718_279),
        phases={"head": (3_591, 0), 3: (4_723_207, 4_719_616)},
    ),
    "vgg16_full": backbone(
        "VGG16", options={"pooling": "avg", "head": [1024]}, parameters=(15_247_175, 15_247_175)
    ),
    "inceptionv3_full": backbone(
        "InceptionV3",
        input_size=75,
        options={"pooling": "avg", "head": [1024]},
        parameters=(23_908_135, 23_873_703),
    ),
    "inceptionv3_dropout": backbone(
        "InceptionV3",
        input_size=75,
        options={"pooling": "avg", "feature_dropout": 0.5, "head": [1024]},
        parameters=(23_908_135, 23_873_703),
    ),
    "compact_residual": Entry(
        "residual",
        {"attention": "se", "field": 0.92, "dropout": 0.2},
        44,
        full={"dropout": 0.3},
        parameters=(2_732_879, 2_728_591),
    ),
    "small_residual": Entry(
        "residual",
        {"attention": None, "field": 0.92, "stem": 16, "widths": [32, 64, 128], "dropout": 0.1},
        44,
        parameters=(675_287, 673_143),
    ),
    "attention_residual": Entry(
        "residual",
        {"attention": "both", "field": 0.92, "dropout": 0.2},
        44,
        full={"dropout": 0.3},
        parameters=(2_733_369, 2_729_081),
    ),
}


def added_by_the_user(name: str) -> Entry:
    recipe = PARAMS.recipe(name, "quick")
    options = {key: None if key.startswith("weights") else value for key, value in recipe.options.items()}
    return Entry(PARAMS.models[name].architecture, options, recipe.input_size)


ENTRIES = KNOWN | {name: added_by_the_user(name) for name in PARAMS.models if name not in KNOWN}
every_entry = pytest.mark.parametrize("name", ENTRIES)


def distinct() -> list[str]:
    """One entry for each network: what differs in rates of dropout alone answers and is kept alike."""
    found: dict[str, str] = {}
    for name, entry in ENTRIES.items():
        options = {key: value for key, value in entry.options.items() if not key.endswith("dropout")}
        network = json.dumps([entry.architecture, entry.input_size, options], sort_keys=True)
        # Of such entries the one with the most layers: it has all that the others have.
        if network not in found or len(entry.options) > len(ENTRIES[found[network]].options):
            found[network] = name
    return list(found.values())


every_network = pytest.mark.parametrize("name", distinct())


@functools.cache
def _built(architecture: str, input_size: int, options: str) -> keras.Model:
    keras.utils.set_random_seed(7)
    return models.build(
        architecture, IMAGE_SHAPE, len(EMOTIONS), input_size=input_size, options=json.loads(options)
    )


def built(name: str) -> keras.Model:
    entry = ENTRIES[name]
    return _built(entry.architecture, entry.input_size, json.dumps(entry.options))


def predict(model: keras.Model) -> npt.NDArray[np.float32]:
    probabilities: npt.NDArray[np.float32] = keras.ops.convert_to_numpy(model(IMAGES, training=False))
    return probabilities


@functools.cache
def predicted(name: str) -> npt.NDArray[np.float32]:
    return predict(built(name))


@every_entry
def test_parameter_counts_are_those_of_the_source(name: str) -> None:
    model = built(name)
    if expected := ENTRIES[name].parameters:
        assert (model.count_params(), trainable_parameters(model)) == expected


@pytest.mark.parametrize(
    ("name", "trainable"), [(name, phase) for name, entry in KNOWN.items() for phase in entry.phases]
)
def test_phases_train_the_parameters_that_the_source_trains(
    name: str, trainable: Literal["head"] | int
) -> None:
    model = built(name)
    try:
        phases.set_trainable(model, trainable, "phase")
        counts = tuple(trainable_parameters(part) for part in (model, model.get_layer(BASE)))
    finally:
        phases.set_trainable(model, "all", "phase")
    assert counts == KNOWN[name].phases[trainable]


@every_network
def test_raw_images_give_probabilities(name: str) -> None:
    model = built(name)
    assert (model.input.dtype, model.input.shape) == ("uint8", (None, *IMAGE_SHAPE))
    assert model.output.shape == (None, len(EMOTIONS))
    probabilities = predicted(name)
    assert probabilities.shape == (len(IMAGES), len(EMOTIONS)) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert not np.array_equal(probabilities[0], probabilities[1]), "the image has no influence"


@every_network
def test_a_step_on_a_batch_lowers_its_loss(name: str) -> None:
    model = accelerate(built(name), "float32")
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # its noise would hide the effect of a small step
    # Eager: compiling the graph of a deep network takes longer than its two steps.
    # A step of one length, whatever the gradient's: what is short for one network is long for another.
    step = keras.optimizers.SGD(1.0, global_clipnorm=1e-4)
    model.compile(step, "sparse_categorical_crossentropy", run_eagerly=True)
    before = float(model.train_on_batch(IMAGES, LABELS))
    # The second loss needs no second gradient.
    after = float(model.compute_loss(IMAGES, LABELS, model(IMAGES, training=True)))
    assert after < before


@every_network
def test_a_saved_model_predicts_the_same(name: str, tmp_path: Path) -> None:
    save_model(built(name), tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(load_model(tmp_path / "model.keras")), predicted(name))


@every_network
def test_every_class_has_a_map_of_where_it_is_seen(name: str) -> None:
    count = len(EMOTIONS)
    maps = class_activation_maps(built(name), IMAGES[:count], range(count))
    assert maps is not None and maps.shape == (count, 48, 48) and maps.dtype == np.float32
    assert np.isfinite(maps).all() and maps.min() >= 0 and maps.max() == 1


@pytest.mark.parametrize("name", [name for name in PARAMS.models if name in KNOWN])
def test_the_entries_here_are_those_of_params(name: str) -> None:
    for budget in ("quick", "full"):
        recipe = PARAMS.recipe(name, budget)
        assert PARAMS.models[name].architecture == KNOWN[name].architecture
        # The quick budget may use other weights and other sizes, never another network.
        expected = KNOWN[name].options | (KNOWN[name].full if budget == "full" else {})
        assert {**recipe.options, "weights": None} == {**expected, "weights": None}


def test_the_sources_flattened_vgg16_has_a_weight_for_each_place() -> None:
    model = models.build(
        "backbone", IMAGE_SHAPE, len(EMOTIONS), input_size=224, options=KNOWN["vgg16_last3"].options
    )
    assert model.count_params() == 14_890_311
    assert model.get_layer(BASE).count_params() == 14_714_688


def test_equal_seeds_give_equal_weights() -> None:
    options = {"attention": "both", "widths": [8], "blocks": [1], "stem": 4}
    first, second = (_built.__wrapped__("residual", 16, json.dumps(options)).get_weights() for _ in range(2))
    for ours, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_l2_penalty_is_on_the_second_block_only() -> None:
    def penalties(l2: float) -> dict[int, float]:
        model = models.build("cnn6_l2", (16, 16, 1), 7, input_size=16, options={"l2": l2})
        penalised = [
            layer for layer in model.layers if getattr(layer, "kernel_regularizer", None) is not None
        ]
        return {layer.filters: float(layer.kernel_regularizer.l2) for layer in penalised}

    assert penalties(0.25) == {128: 0.25, 256: 0.25}
    assert penalties(0.0) == {}


def test_the_blocks_and_the_dense_layer_of_cnn6_have_their_own_dropout() -> None:
    options = {"dropout": 0.125, "head_dropout": 0.75}
    model = models.build("cnn6_l2", (16, 16, 1), 7, input_size=16, options=options)
    rates = {
        layer.input.shape[1:]: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)
    }
    assert rates == {(8, 8, 64): 0.125, (4, 4, 256): 0.125, (2, 2, 512): 0.125, (1024,): 0.75}


def test_resizing_does_not_switch_to_training() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, *IMAGE_SHAPE), dtype=np.uint8)
    model = models.build("cnn4", IMAGE_SHAPE, 7, input_size=40, options={})
    statistics = model.get_weights()
    called = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(called, model.predict_on_batch(images), atol=1e-6)
    for before, after in zip(statistics, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    trained = keras.ops.convert_to_numpy(model(images, training=True))
    assert not np.allclose(called, trained, atol=1e-3)
