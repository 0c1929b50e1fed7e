from __future__ import annotations

import json
import time
from typing import Any

import keras
import pytest
from keras import layers

from ferflow.models import build
from ferflow.models.inspection import cost
from ferflow.models.inspection.cost import flops, measured_or_kept

SHAPE = (8, 10, 3)
MADE_OF = {"files": {"cnn4": "a"}, "members": None, "views": 1}


def model_of(*parts: Any, shape: tuple[int, ...] = SHAPE) -> keras.Model:
    inputs = x = keras.Input(shape)
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("layer", "multiply_adds"),
    [
        (layers.Conv2D(5, 3, padding="same"), 8 * 10 * 5 * 3 * 3 * 3),
        (layers.Conv2D(5, 3), 6 * 8 * 5 * 3 * 3 * 3),
        (layers.Conv2D(5, (1, 3), strides=2, padding="same"), 4 * 5 * 5 * 1 * 3 * 3),
        (layers.Conv2D(6, 3, padding="same", groups=3), 8 * 10 * 6 * 3 * 3 * 1),
        (layers.Conv2DTranspose(5, 3, strides=2, padding="same"), 8 * 10 * 5 * 3 * 3 * 3),
        (layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2), 8 * 10 * 3 * 3 * 3 * 2),
        (layers.SeparableConv2D(5, 3, strides=2, padding="same"), 4 * 5 * (3 * 3 * 3 + 3 * 5)),
        (layers.Dense(5), 8 * 10 * 3 * 5),
        (layers.Flatten(), 0),
        (layers.BatchNormalization(), 0),
        (layers.MaxPooling2D(2), 0),
        (keras.ops.relu, 0),
    ],
)
def test_a_layer_is_counted_by_hand(layer: Any, multiply_adds: int) -> None:
    assert flops(model_of(layer)) == 2 * multiply_adds


def test_a_network_is_the_sum_of_its_layers_nested_ones_too() -> None:
    inner = model_of(layers.Conv2D(4, 3, padding="same"), layers.GlobalAveragePooling2D())
    outer = model_of(layers.Conv2D(3, 1), inner, layers.Dense(7), keras.Sequential([layers.Dense(2)]))
    assert flops(outer) == 2 * (8 * 10 * 3 * 3 + 8 * 10 * 4 * 3 * 3 * 3 + 4 * 7 + 7 * 2)


def test_a_layer_that_is_used_twice_counts_twice() -> None:
    shared = layers.Dense(3)
    assert flops(model_of(shared, shared)) == 2 * flops_of(layers.Dense(3))


def flops_of(layer: Any) -> int:
    count = flops(model_of(layer))
    assert count is not None
    return count


def test_a_known_network_costs_what_its_paper_says() -> None:
    """VGG16 at 224 pixels: 15.5 thousand million multiply-additions, 124 million in its dense layers."""
    model = build(
        "backbone", (224, 224, 1), 7, input_size=224, options={"network": "VGG16", "pooling": "flatten"}
    )
    assert flops(model) == 2 * (15_346_630_656 + 25_088 * 7)


@pytest.mark.parametrize(
    "layer", [layers.LSTM(4), layers.EinsumDense("abc,cd->abd", output_shape=(None, 5)), layers.Attention()]
)
def test_what_cannot_be_counted_is_not_guessed(layer: Any) -> None:
    x = inputs = keras.Input((6, 3))
    x = layer([x, x]) if isinstance(layer, layers.Attention) else layer(x)
    assert flops(keras.Model(inputs, x)) is None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """A pass takes a second at first, then 3 ms, and every tenth 100 ms; returned is what was asked for."""
    passes: list[tuple[int, ...]] = []
    now = 0.0

    def predict(_: keras.Model, images: Any) -> None:
        nonlocal now
        first = not passes or passes[-1] != images.shape
        passes.append(images.shape)
        now += 1.0 if first else (0.003 if len(passes) % 10 else 0.1)

    monkeypatch.setattr(cost, "predict_batch", predict)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    return passes


def measure(kept: object = None, **of: Any) -> dict[str, Any]:
    model = model_of(layers.Flatten(), shape=(4, 4, 1))
    return measured_or_kept([kept], lambda: model, **{"made_of": MADE_OF, "device": "CPU A"} | of)


def test_the_median_pass_is_divided_by_its_images(clock: list[tuple[int, ...]]) -> None:
    assert measure() == {
        "device": "CPU A",
        "keras": keras.__version__,
        **MADE_OF,
        "milliseconds_per_image": {"1": 3.0, "64": 0.0469},
    }
    assert set(clock) == {(1, 4, 4, 1), (64, 4, 4, 1)}
    assert len(clock) <= 102  # a warm-up and at most fifty passes for each size


def test_a_slow_network_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now, passes = 0.0, 0

    def predict(*_: Any) -> None:
        nonlocal now, passes
        now, passes = now + 20.0, passes + 1

    monkeypatch.setattr(cost, "predict_batch", predict)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    assert measure()["milliseconds_per_image"] == {"1": 20_000.0, "64": 312.0}
    assert passes == 4


def test_what_was_measured_of_the_same_file_and_device_is_kept_and_no_model_is_loaded(
    clock: list[tuple[int, ...]],
) -> None:
    measured = measure()
    other = measure(device="CPU B")
    passes = len(clock)
    # What else stands beside it is not its own.
    kept = measured_or_kept(
        [None, other, json.loads(json.dumps(measured | {"training": {}}))],
        lambda: pytest.fail("loaded"),
        made_of=MADE_OF,
        device="CPU A",
    )
    assert kept == measured
    assert len(clock) == passes


@pytest.mark.parametrize(
    "of",
    [
        {"made_of": MADE_OF | {"files": {"cnn4": "b"}}},
        {"made_of": MADE_OF | {"views": 2}},
        {"device": "CPU B"},
    ],
)
def test_another_file_or_device_or_number_of_views_is_measured(
    clock: list[tuple[int, ...]], of: dict[str, Any]
) -> None:
    kept = measure()
    passes = len(clock)
    assert measure(kept, **of).items() >= (of.get("made_of") or of).items()
    assert len(clock) > passes


def test_another_version_of_keras_is_measured(clock: list[tuple[int, ...]]) -> None:
    kept = measure() | {"keras": "3.0.0"}
    passes = len(clock)
    assert measure(kept)["keras"] == keras.__version__
    assert len(clock) > passes


@pytest.mark.parametrize("times", [None, [], {}, {"1": 2.0}, {"1": 2.0, "64": "fast"}, {"1": 2.0, "64": 0.0}])
def test_what_is_no_measurement_is_replaced(clock: list[tuple[int, ...]], times: object) -> None:
    kept = measure() | {"milliseconds_per_image": times}
    passes = len(clock)
    assert measure(kept)["milliseconds_per_image"]["1"] == 3.0
    assert len(clock) > passes


def test_a_real_network_takes_time() -> None:
    assert all(0 < value < 1000 for value in measure()["milliseconds_per_image"].values())
