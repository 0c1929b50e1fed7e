from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from ferflow.evaluation.calibration import calibration_error, calibration_table
from ferflow.evaluation.outcomes import Outcomes, join

from .invented import labels_table, outcomes_with, predictions_table


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(3, 200), seed=st.integers(0, 10_000), skill=st.floats(0, 6))
def test_bins_are_those_of_scikit_learn(samples: int, seed: int, skill: float) -> None:
    labels = labels_table(samples, seed)
    outcomes = join(predictions_table(labels, seed, skill), labels)["test"]
    confidence, right = outcomes.probabilities.max(axis=1), outcomes.actual == outcomes.predicted
    accuracy, mean_confidence = calibration_curve(right, confidence, n_bins=15, strategy="uniform")
    table = calibration_table(outcomes)
    filled = table[table["samples"] > 0]
    np.testing.assert_allclose(filled["accuracy"], accuracy, atol=1e-6)
    np.testing.assert_allclose(filled["confidence"], mean_confidence, atol=1e-6)
    error = np.average(np.abs(accuracy - mean_confidence), weights=filled["samples"])
    assert calibration_error(outcomes) == pytest.approx(error)


def certain(confidence: list[float], right: list[bool]) -> Outcomes:
    rest = (1 - np.array(confidence)) / 6
    probabilities = np.repeat(rest[:, None], 7, axis=1)
    probabilities[:, 3] = confidence
    return outcomes_with(actual=[3 if hit else 0 for hit in right], probabilities=probabilities)


def test_error_is_the_distance_of_confidence_from_accuracy_by_bin() -> None:
    # Two bins: 0.85 where half is right, 0.55 where all are.
    outcomes = certain([0.85, 0.85, 0.55, 0.55], [True, False, True, True])
    assert calibration_error(outcomes) == pytest.approx((0.35 + 0.45) / 2)
    assert calibration_error(certain([0.85, 0.85], [True, True])) == pytest.approx(0.15)
    assert calibration_error(certain([1.0] * 3, [True] * 3)) == 0


def test_every_bin_has_a_row_and_an_empty_one_has_no_means() -> None:
    table = calibration_table(certain([1.0, 0.5, 0.49], [True, True, False]))
    assert list(table.columns) == ["bin_low", "bin_high", "samples", "confidence", "accuracy"]
    np.testing.assert_allclose(table["bin_high"], np.arange(1, 16) / 15, atol=1e-6)
    np.testing.assert_allclose(table["bin_low"], np.arange(15) / 15, atol=1e-6)
    assert list(table.loc[table["samples"] > 0, "samples"]) == [2, 1]
    last = table.iloc[-1]
    assert (last["samples"], last["confidence"], last["accuracy"]) == (1, 1, 1)
    assert table.loc[table["samples"] == 0, ["confidence", "accuracy"]].isna().all(axis=None)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    table = calibration_table(certain([0.4], [True]))
    assert table.loc[table["samples"] == 1, "bin_high"].item() == pytest.approx(0.4)
