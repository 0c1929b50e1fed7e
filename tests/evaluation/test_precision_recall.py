from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from ferflow.evaluation.outcomes import join
from ferflow.evaluation.precision_recall import average_precision, precision_recall_table
from ferflow.labels import EMOTIONS

from .invented import labels_table, outcomes_with, predictions_table


@settings(max_examples=25, deadline=None)
@given(
    samples=st.integers(3, 120),
    seed=st.integers(0, 10_000),
    skill=st.floats(0, 4),
    digits=st.sampled_from([1, 7]),
    emotions=st.sets(st.sampled_from(EMOTIONS), min_size=1).map(sorted),
)
def test_average_precision_is_scikit_learns_with_and_without_ties(
    samples: int, seed: int, skill: float, digits: int, emotions: list[str]
) -> None:
    labels = labels_table(samples, seed, tuple(emotions))
    outcomes = join(predictions_table(labels, seed, skill), labels)["test"]
    probabilities = np.round(outcomes.probabilities, digits)
    areas = average_precision(outcomes_with(actual=outcomes.actual, probabilities=probabilities))
    for place in range(7):
        truth = outcomes.actual == place
        if truth.any():
            expected = sklearn.metrics.average_precision_score(truth, probabilities[:, place])
            assert areas[place] == pytest.approx(expected)
        else:
            assert np.isnan(areas[place])


def test_points_lie_on_scikit_learns_curve_and_keep_its_area() -> None:
    labels = labels_table(6000)
    outcomes = join(predictions_table(labels), labels)["test"]
    table = precision_recall_table(outcomes)
    assert list(table.columns) == ["label", "threshold", "precision", "recall"]
    assert list(table["label"].unique()) == list(EMOTIONS)
    for place, (_, points) in enumerate(table.groupby("label", sort=False)):
        precision, recall, threshold = sklearn.metrics.precision_recall_curve(
            outcomes.actual == place, outcomes.probabilities[:, place]
        )
        assert len(points) == 100
        assert points["recall"].iloc[-1] == 1
        assert points["recall"].diff().max() < 0.02
        for point in points.itertuples():
            nearest = np.argmin(np.abs(threshold - point.threshold))
            assert (point.precision, point.recall) == pytest.approx(
                (precision[nearest], recall[nearest]), abs=5e-3
            )
        thinned = np.sum(points["recall"].diff().fillna(points["recall"].iloc[0]) * points["precision"])
        assert thinned == pytest.approx(average_precision(outcomes)[place], abs=5e-3)


def test_a_short_curve_keeps_every_point_at_which_recall_rises() -> None:
    probabilities = np.full((5, 7), 0.01)
    probabilities[:, 0] = [0.9, 0.8, 0.7, 0.7, 0.2]
    outcomes = outcomes_with(actual=[0, 1, 0, 1, 0], probabilities=probabilities)
    table = precision_recall_table(outcomes)
    expected = pd.DataFrame(
        {
            "label": "angry",
            "threshold": [0.9, 0.7, 0.2],
            "precision": [1, 0.5, 0.6],
            "recall": [0.333333, 0.666667, 1],
        }
    )
    pd.testing.assert_frame_equal(table[table["label"] == "angry"], expected, check_dtype=False)


def test_an_emotion_without_samples_has_no_curve_and_equal_probabilities_one_point() -> None:
    outcomes = outcomes_with(actual=[0, 0, 0, 3], probabilities=np.full((4, 7), 1 / 7))
    table = precision_recall_table(outcomes)
    assert list(table["label"]) == ["angry", "happy"]
    assert list(table["precision"]) == [0.75, 0.25]
    assert list(table["recall"]) == [1, 1]
    np.testing.assert_array_equal(
        np.isnan(average_precision(outcomes)), [False, True, True, False] + [True] * 3
    )
