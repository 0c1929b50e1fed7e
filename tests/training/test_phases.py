from __future__ import annotations

from typing import Literal

import keras
import numpy as np
import pytest

from ferflow.errors import FerflowError
from ferflow.models import backbone, cnn2_small
from ferflow.models.inference import trainable_parameters
from ferflow.models.layers import BASE
from ferflow.training.acceleration import accelerate
from ferflow.training.phases import set_trainable

WHERE = "models.resnet50_two_phase.phases.finetune.trainable"


def small_model() -> keras.Model:
    """Return a model with a base of five layers: input, conv, norm, conv, norm."""
    base_input = keras.Input((8, 8, 3))
    x = base_input
    for number in (1, 2):
        x = keras.layers.Conv2D(4, 3, name=f"conv_{number}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{number}")(x)
    base = keras.Model(base_input, x, name=BASE)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(base(inputs))
    return keras.Model(inputs, keras.layers.Dense(7, activation="softmax", name="head")(x))


# Kernel and bias of each convolution, scale and offset of each normalisation.
HEAD = {"head/kernel", "head/bias"}
NORM_2 = {"norm_2/gamma", "norm_2/beta"}
CONV_2 = {"conv_2/kernel", "conv_2/bias"}
FIRST = {"conv_1/kernel", "conv_1/bias", "norm_1/gamma", "norm_1/beta"}


@pytest.mark.parametrize(
    ("trainable", "expected"),
    [
        ("head", HEAD),
        (1, HEAD | NORM_2),
        (2, HEAD | NORM_2 | CONV_2),
        (5, HEAD | NORM_2 | CONV_2 | FIRST),
        ("all", HEAD | NORM_2 | CONV_2 | FIRST),
    ],
)
def test_a_phase_trains_its_layers(trainable: Literal["all", "head"] | int, expected: set[str]) -> None:
    model = small_model()
    set_trainable(model, trainable, WHERE)
    assert {weight.path for weight in model.trainable_weights} == expected
    assert trainable_parameters(model) == sum(
        int(np.prod(weight.shape)) for weight in model.weights if weight.path in expected
    )


def test_one_step_changes_the_layers_of_the_phase_and_no_other() -> None:
    model = small_model()
    before = {weight.path: weight.numpy() for weight in model.weights}
    set_trainable(model, 2, WHERE)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", run_eagerly=True)
    generator = np.random.default_rng(0)
    model.train_on_batch(generator.normal(size=(6, 8, 8, 3)).astype("float32"), np.arange(6) % 7)
    moved = {
        weight.path for weight in model.weights if not np.array_equal(weight.numpy(), before[weight.path])
    }
    # A bias before a normalisation has no gradient, so conv_2/bias may stand still.
    statistics = {"norm_2/moving_mean", "norm_2/moving_variance"}
    assert moved | {"conv_2/bias"} == HEAD | NORM_2 | CONV_2 | statistics


def test_fewer_layers_can_follow_on_more() -> None:
    model = small_model()
    counts = []
    for trainable in ("all", 4, 2, "head"):
        set_trainable(model, trainable, WHERE)
        counts.append(trainable_parameters(model))
    assert counts == sorted(counts, reverse=True)
    assert {weight.path for weight in model.trainable_weights} == HEAD


def test_the_counts_of_the_resnet50_project() -> None:
    model = backbone.build((48, 48, 1), 7, input_size=32, network="ResNet50", head=[1024])
    assert model.count_params() == 25_693_063
    counts: dict[Literal["all", "head"] | int, int] = {"all": 25_639_943, 4: 3_160_071, "head": 2_105_351}
    for trainable, count in counts.items():
        set_trainable(model, trainable, WHERE)
        assert trainable_parameters(model) == count


def test_the_accelerated_clone_has_the_same_phases() -> None:
    model, fast = small_model(), accelerate(small_model(), "mixed_bfloat16")
    for trainable in ("all", 2, "head"):
        for each in (model, fast):
            set_trainable(each, trainable, WHERE)
        assert {weight.path for weight in fast.trainable_weights} == {
            weight.path for weight in model.trainable_weights
        }


@pytest.mark.parametrize("trainable", ["head", 1])
def test_an_architecture_without_a_base_has_no_part_to_freeze(trainable: Literal["head"] | int) -> None:
    model = cnn2_small.build((48, 48, 1), 7, input_size=48)
    with pytest.raises(FerflowError, match=f"{WHERE}: this architecture has no base to freeze; use `all`"):
        set_trainable(model, trainable, WHERE)


def test_all_needs_no_base() -> None:
    model = cnn2_small.build((48, 48, 1), 7, input_size=64)
    set_trainable(model, "all", WHERE)
    assert trainable_parameters(model) == 1_626_055


def test_more_layers_than_the_base_has_is_an_error() -> None:
    with pytest.raises(FerflowError, match=f"{WHERE}: the base has only 5 layers"):
        set_trainable(small_model(), 6, WHERE)


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        (["head", 2], HEAD | NORM_2 | CONV_2),
        (["head", "all"], HEAD | NORM_2 | CONV_2 | FIRST),
        ([1, 2], HEAD | NORM_2 | CONV_2),
        ([2, "all"], HEAD | NORM_2 | CONV_2 | FIRST),
    ],
)
def test_a_later_phase_frees_what_an_earlier_one_froze(
    phases: list[Literal["all", "head"] | int], expected: set[str]
) -> None:
    model = small_model()
    for trainable in phases:
        set_trainable(model, trainable, WHERE)
    assert {weight.path for weight in model.trainable_weights} == expected
