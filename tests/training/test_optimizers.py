from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ferflow.params.optimization import OptimizerParams
from ferflow.training.devices import Precision
from ferflow.training.optimizers import ConvolutionalMuon, FusedAdam, FusedAdamW, make_optimizer

NAMES = ["adam", "adamw", "sgd", "rmsprop", "muon"]


def small_model() -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = keras.layers.Conv2D(6, 3, name="second")(x)
    x = keras.layers.Dense(5, name="hidden")(keras.layers.Flatten()(x))
    x = keras.layers.Dense(3, name="logits")(x)
    return keras.Model(inputs, keras.layers.Softmax()(x))


def made(
    model: keras.Model, name: Any, rate: float = 0.01, *, precision: Precision = "float32", **options: Any
) -> keras.optimizers.Optimizer:
    params = OptimizerParams(name=name, **options)
    optimizer = make_optimizer(params, rate, model.trainable_variables, precision=precision)
    optimizer.build(model.trainable_variables)
    return optimizer


def step(optimizer: keras.optimizers.Optimizer, model: keras.Model, gradient: float) -> dict[str, Any]:
    """Apply a gradient of one value everywhere; return by how much each weight has changed."""
    variables = model.trainable_variables
    before = [variable.numpy() for variable in variables]
    optimizer.apply([tf.fill(variable.shape, gradient) for variable in variables])
    return {variable.path: variable.numpy() - old for variable, old in zip(variables, before, strict=True)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("sgd", keras.optimizers.SGD),
        ("rmsprop", keras.optimizers.RMSprop),
        ("muon", ConvolutionalMuon),
    ],
)
def test_every_optimizer_gets_its_rate(name: str, kind: Any) -> None:
    optimizer = made(small_model(), name, 0.0125)
    assert isinstance(optimizer, kind)
    assert float(optimizer.learning_rate) == pytest.approx(0.0125)


def test_what_is_not_given_is_left_to_keras() -> None:
    decay = {name: made(small_model(), name).weight_decay for name in NAMES}
    assert decay == {"adam": None, "adamw": 0.004, "sgd": None, "rmsprop": None, "muon": 0.004}
    assert made(small_model(), "muon").momentum == 0.95
    assert made(small_model(), "muon").nesterov is True
    assert made(small_model(), "sgd").momentum == 0.0


def test_options_reach_the_optimizer() -> None:
    optimizer = made(small_model(), "sgd", momentum=0.8, nesterov=True, weight_decay=0.1, clip_norm=2.0)
    assert (optimizer.momentum, optimizer.nesterov) == (0.8, True)
    assert (optimizer.weight_decay, optimizer.global_clipnorm) == (0.1, 2.0)
    assert made(small_model(), "muon", weight_decay=0.1).adam_weight_decay == 0.1


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_shrinks_kernels_by_rate_times_decay_and_nothing_else(name: str) -> None:
    model = small_model()
    for variable in model.trainable_variables:
        variable.assign(tf.ones(variable.shape))
    changes = step(made(model, name, 0.1, weight_decay=0.2), model, 0.0)
    for path, change in changes.items():
        expected = -0.1 * 0.2 if path.endswith("kernel") else 0.0
        np.testing.assert_allclose(change, expected, atol=1e-6, err_msg=path)
    assert {path for path, change in changes.items() if change.any()} == {
        f"{layer}/kernel" for layer in ("first", "depthwise", "second", "hidden", "logits")
    }


@pytest.mark.parametrize(("gradient", "length"), [(3.0, 0.5), (1e-4, None)])
def test_clipping_shortens_the_gradient_of_all_weights_together(
    gradient: float, length: float | None
) -> None:
    model = small_model()
    count = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    changes = step(made(model, "sgd", 1.0, clip_norm=0.5), model, gradient)
    values = np.concatenate([change.ravel() for change in changes.values()])
    assert np.linalg.norm(values) == pytest.approx(length or gradient * count**0.5, rel=1e-3)
    assert np.ptp(values) < 1e-6, "weights were clipped one by one"


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_muon_makes_the_singular_values_of_a_kernels_update_alike(precision: Precision, scale: float) -> None:
    model = small_model()
    optimizer = made(model, "muon", 1.0, weight_decay=0.0, precision=precision)
    generator = np.random.default_rng(0)
    variables = model.trainable_variables
    before = {variable.path: variable.numpy() for variable in variables}
    gradients = [scale * generator.normal(size=variable.shape) for variable in variables]
    optimizer.apply([gradient.astype("float32") for gradient in gradients])
    for layer in ("second", "hidden"):
        path = f"{layer}/kernel"
        update = next(each.numpy() for each in variables if each.path == path) - before[path]
        matrix = update.reshape(-1, update.shape[-1])
        scale = 0.2 * np.sqrt(max(matrix.shape))
        singular = np.linalg.svd(matrix, compute_uv=False) / scale
        assert singular.min() > 0.6 and singular.max() < 1.3


def test_muon_leaves_to_adamw_what_is_no_matrix_and_both_ends_of_the_network() -> None:
    model = small_model()
    optimizer = made(model, "muon")
    by_muon = {each.path for each in model.trainable_variables if not optimizer._should_use_adamw(each)}
    assert by_muon == {"second/kernel", "hidden/kernel"}


@pytest.mark.parametrize("name", NAMES)
def test_one_step_lowers_the_loss(name: str) -> None:
    model = small_model()
    images = np.random.default_rng(0).normal(size=(9, 8, 8, 1)).astype("float32")
    labels = np.arange(9) % 3
    model.compile(made(model, name, 0.01), "sparse_categorical_crossentropy", run_eagerly=True)
    losses = [float(model.train_on_batch(images, labels)) for _ in range(8)]
    assert losses[-1] < losses[0]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the kernel is TensorFlow's")
@pytest.mark.parametrize(
    ("fused", "stock"), [(FusedAdam, keras.optimizers.Adam), (FusedAdamW, keras.optimizers.AdamW)]
)
def test_the_fused_update_agrees_with_the_stock_one(fused: Any, stock: Any) -> None:
    generator = np.random.default_rng(0)
    gradients = [
        [generator.normal(size=shape).astype("float32") for shape in ((3, 4), (4,))] for _ in range(5)
    ]
    start = [np.ones((3, 4), "float32"), np.full(4, 2.0, "float32")]
    results = []
    for constructor in (fused, stock):
        optimizer = constructor(0.05, global_clipnorm=1.0, use_ema=True, ema_momentum=0.5)
        variables = [keras.Variable(value) for value in start]
        for step in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(each) for each in step], variables)
        results.append([*variables, *optimizer.variables])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
    assert all(np.abs(now.numpy() - then).min() > 0.01 for now, then in zip(results[0], start, strict=False))
