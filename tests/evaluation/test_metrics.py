from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from ferflow.evaluation import metrics
from ferflow.evaluation.outcomes import EVALUATED_SPLITS, PROBABILITIES, join
from ferflow.labels import EMOTIONS

from .invented import labels_table, outcomes_with, predictions_table


@settings(max_examples=25, deadline=None)
@given(
    samples=st.integers(3, 80),
    seed=st.integers(0, 10_000),
    skill=st.floats(0, 4),
    emotions=st.sets(st.sampled_from(EMOTIONS), min_size=1).map(sorted),
)
def test_scores_are_those_of_scikit_learn(samples: int, seed: int, skill: float, emotions: list[str]) -> None:
    labels = labels_table(samples, seed, tuple(emotions))
    predictions = predictions_table(labels, seed, skill)
    summary = metrics.summarize(join(predictions.sample(frac=1, random_state=seed), labels))
    for split in EVALUATED_SPLITS:
        rows = predictions[predictions["split"] == split]
        report = sklearn.metrics.classification_report(
            rows["label"], rows["predicted"], labels=EMOTIONS, zero_division=0, output_dict=True
        )
        probabilities = rows[list(PROBABILITIES)].to_numpy(dtype=np.float64)
        probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
        truth = rows["label"].map(EMOTIONS.index).to_numpy()
        expected = {
            "accuracy": report["accuracy"],
            "balanced_accuracy": report["macro avg"]["recall"],
            "macro_f1": report["macro avg"]["f1-score"],
            "weighted_f1": report["weighted avg"]["f1-score"],
            "top2_accuracy": sklearn.metrics.top_k_accuracy_score(truth, probabilities, k=2, labels=range(7)),
            "log_loss": sklearn.metrics.log_loss(truth, probabilities, labels=range(7)),
            "samples": len(rows),
        }
        found = {name: summary[split][name] for name in expected}
        assert found == pytest.approx(expected, abs=2e-6)


def test_summary_names_what_metrics_json_promises_in_order() -> None:
    labels = labels_table()
    for values in metrics.summarize(join(predictions_table(labels), labels)).values():
        assert list(values) == [
            "accuracy",
            "accuracy_low",
            "accuracy_high",
            "balanced_accuracy",
            "macro_f1",
            "macro_f1_low",
            "macro_f1_high",
            "weighted_f1",
            "top2_accuracy",
            "log_loss",
            "calibration_error",
            "samples",
        ]
        for name in ("accuracy", "macro_f1"):
            assert 0 < values[f"{name}_low"] < values[name] < values[f"{name}_high"] < 1


def test_balanced_accuracy_is_scikit_learns_where_every_class_is_present() -> None:
    labels = labels_table(600)
    predictions = predictions_table(labels)
    rows = predictions[predictions["split"] == "test"]
    assert set(rows["label"]) == set(EMOTIONS)
    expected = sklearn.metrics.balanced_accuracy_score(rows["label"], rows["predicted"])
    assert metrics.summarize(join(predictions, labels))["test"]["balanced_accuracy"] == round(expected, 6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), samples=st.integers(3, 80))
def test_metrics_do_not_depend_on_the_order_of_rows(seed: int, samples: int) -> None:
    labels = labels_table(samples, seed)
    predictions = predictions_table(labels, seed)
    plain = join(predictions, labels)
    other = join(predictions.sample(frac=1, random_state=seed), labels.sample(frac=1, random_state=seed + 1))
    assert metrics.summarize(plain) == metrics.summarize(other)
    pd.testing.assert_frame_equal(metrics.per_class(plain), metrics.per_class(other))


def test_values_are_plain_numbers_with_six_digits() -> None:
    labels = labels_table()
    for values in metrics.summarize(join(predictions_table(labels), labels)).values():
        assert type(values.pop("samples")) is int
        for value in values.values():
            assert type(value) is float
            assert value == round(value, 6)


def test_a_class_that_is_absent_counts_as_zero_without_a_warning() -> None:
    labels = labels_table(emotions=("happy", "sad"))
    outcomes = join(predictions_table(labels, skill=50), labels)
    values = metrics.summarize(outcomes)["test"]
    assert values["accuracy"] == 1
    assert values["balanced_accuracy"] == values["macro_f1"] == round(2 / 7, 6)
    assert values["weighted_f1"] == 1
    rows = metrics.per_class(outcomes)
    absent = rows[rows["label"] == "disgust"]
    assert (absent[["precision", "recall", "f1", "support"]] == 0).all(axis=None)
    assert absent["average_precision"].isna().all()


def test_of_equally_probable_emotions_the_first_counts_as_the_more_probable() -> None:
    outcomes = outcomes_with(actual=[0, 1, 2, 6], probabilities=np.full((4, 7), 1 / 7))
    values = metrics.scores(outcomes)
    assert values["accuracy"] == 0.25
    assert values["top2_accuracy"] == 0.5


def test_a_truth_that_was_given_no_chance_costs_what_it_costs_in_keras() -> None:
    labels = labels_table()
    predictions = predictions_table(labels)
    wrong = predictions["label"].map(lambda label: "sad" if label != "sad" else "fear")
    certain = {f"p_{emotion}": (wrong == emotion).astype("float32") for emotion in EMOTIONS}
    outcomes = join(predictions.assign(predicted=wrong, **certain), labels)
    assert metrics.scores(outcomes["test"])["log_loss"] == pytest.approx(-np.log(1e-7), abs=1e-3)


def test_per_class_has_a_row_for_each_split_and_emotion_in_order() -> None:
    labels = labels_table()
    table = metrics.per_class(join(predictions_table(labels), labels))
    assert list(table.columns) == [
        "split",
        "label",
        "precision",
        "recall",
        "f1",
        "support",
        "average_precision",
    ]
    assert list(table["split"]) == ["val"] * 7 + ["test"] * 7
    assert list(table["label"]) == [*EMOTIONS, *EMOTIONS]
    assert table["support"].sum() == (labels["split"] != "train").sum()
