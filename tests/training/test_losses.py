from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from ferflow.params.optimization import LossParams
from ferflow.training.losses import ClassificationLoss, balanced_class_weights, make_accuracy, make_loss

Array = npt.NDArray[Any]

GENERATOR = np.random.default_rng(0)
LABELS = (np.arange(12) % 4).astype("int32")
LOGITS = GENERATOR.normal(0.0, 2.0, (12, 4)).astype("float32")
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
SOFT = GENERATOR.dirichlet(np.ones(4), 12).astype("float32")
WEIGHTS = [0.5, 2.0, 1.0, 3.0]
gradients_of_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow's gradients are taken with a tape"
)


def one_hot(labels: Array) -> Array:
    return np.eye(4, dtype="float32")[labels]


def loss_of(loss: ClassificationLoss, labels: Array, probabilities: Array = PROBABILITIES) -> float:
    return float(loss(tf.constant(labels), tf.constant(probabilities)))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_cross_entropy_of_keras(smoothing: float) -> None:
    ours = ClassificationLoss(label_smoothing=smoothing)
    keras_own = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    assert loss_of(ours, SOFT) == pytest.approx(float(keras_own(SOFT, PROBABILITIES)), rel=1e-5)
    hard = float(keras_own(one_hot(LABELS), PROBABILITIES))
    assert loss_of(ours, LABELS) == pytest.approx(hard, rel=1e-5)
    assert loss_of(ours, one_hot(LABELS)) == loss_of(ours, LABELS)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_it_is_the_focal_loss_of_keras(gamma: float, smoothing: float) -> None:
    keras_own = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=gamma, label_smoothing=smoothing)
    expected = float(keras_own(SOFT, PROBABILITIES))
    assert loss_of(ClassificationLoss(gamma, smoothing), SOFT) == pytest.approx(expected, rel=1e-5)


def test_focal_with_gamma_zero_is_the_cross_entropy() -> None:
    assert loss_of(ClassificationLoss(gamma=0.0), SOFT) == loss_of(make_loss(LossParams()), SOFT)
    nearly = loss_of(ClassificationLoss(gamma=1e-4), SOFT)
    assert nearly == pytest.approx(loss_of(ClassificationLoss(), SOFT), rel=1e-3)


def test_class_weights_weigh_samples_by_their_class() -> None:
    weighted = loss_of(ClassificationLoss(0.0, 0.1, WEIGHTS), LABELS)
    plain = ClassificationLoss(0.0, 0.1)
    each = [loss_of(plain, LABELS[i : i + 1], PROBABILITIES[i : i + 1]) for i in range(12)]
    assert weighted == pytest.approx(np.mean(np.array(WEIGHTS)[LABELS] * each), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_a_mixed_label_costs_what_its_classes_cost_by_their_share(gamma: float) -> None:
    loss = ClassificationLoss(gamma, 0.1, WEIGHTS)
    other = (LABELS + 1) % 4
    mixed = 0.3 * one_hot(LABELS) + 0.7 * one_hot(other)
    expected = 0.3 * loss_of(loss, LABELS) + 0.7 * loss_of(loss, other)
    assert loss_of(loss, mixed) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("params", "same"),
    [
        (LossParams(), ClassificationLoss()),
        (LossParams(name="focal"), ClassificationLoss(gamma=2.0)),
        (LossParams(name="focal", gamma=1.5, label_smoothing=0.1), ClassificationLoss(1.5, 0.1)),
    ],
)
def test_a_recipe_chooses_its_loss(params: LossParams, same: ClassificationLoss) -> None:
    assert loss_of(make_loss(params), SOFT) == loss_of(same, SOFT)


@gradients_of_tensorflow
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_certainty_right_or_wrong_has_a_finite_loss_and_gradient(gamma: float) -> None:
    logits = tf.constant([[60.0, 0.0, 0.0, 0.0], [200.0, 0.0, 0.0, 0.0]])
    for labels in ([0, 0], [1, 1]):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = ClassificationLoss(gamma, 0.1)(tf.constant(labels), tf.nn.softmax(logits))
        assert np.isfinite(value.numpy())
        assert np.isfinite(tape.gradient(value, logits).numpy()).all()


@gradients_of_tensorflow
def test_what_is_certainly_wrong_still_learns() -> None:
    logits = tf.constant([[40.0, 0.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = ClassificationLoss()(tf.constant([1]), tf.nn.softmax(logits))
    np.testing.assert_allclose(tape.gradient(value, logits), [[1.0, -1.0, 0.0, 0.0]], atol=1e-5)


def test_probabilities_in_half_precision_are_measured_in_full() -> None:
    probabilities = tf.cast(PROBABILITIES, tf.bfloat16)
    value = ClassificationLoss()(tf.constant(LABELS), probabilities)
    assert value.dtype == tf.float32


def test_the_accuracy_is_that_of_keras_for_classes() -> None:
    ours, theirs = make_accuracy(), keras.metrics.SparseCategoricalAccuracy()
    for metric in (ours, theirs):
        metric.update_state(LABELS, PROBABILITIES)
    assert ours.name == "accuracy"
    assert 0.0 < float(ours.result()) == pytest.approx(float(theirs.result()))


def test_the_accuracy_counts_the_share_of_a_mixed_label_that_is_predicted() -> None:
    metric = make_accuracy()
    metric.update_state(
        np.array([[0.7, 0.3], [0.2, 0.8]], "float32"), np.array([[0.1, 0.9], [0.4, 0.6]], "float32")
    )
    assert float(metric.result()) == pytest.approx((0.3 + 0.8) / 2)


def test_balanced_weights_give_every_class_the_same_total_and_samples_one_on_average() -> None:
    labels = np.repeat([0, 1, 3], [10, 40, 2]).astype("int32")
    weights = balanced_class_weights(labels, 4)
    totals = np.bincount(labels, minlength=4) * weights
    np.testing.assert_allclose(totals, [52 / 3, 52 / 3, 0.0, 52 / 3])
    assert np.array(weights)[labels].mean() == pytest.approx(1.0)
    assert weights[2] == 0.0
