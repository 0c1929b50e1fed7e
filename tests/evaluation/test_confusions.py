from __future__ import annotations

import numpy as np
import pandas as pd
import sklearn.metrics

from ferflow.evaluation.confusions import confusion_counts, confusion_table, top_confusions
from ferflow.evaluation.outcomes import join
from ferflow.labels import EMOTIONS

from .invented import labels_table, predictions_table


def test_counts_have_actual_rows_and_predicted_columns() -> None:
    labels = labels_table()
    predictions = predictions_table(labels)
    rows = predictions[predictions["split"] == "test"]
    expected = sklearn.metrics.confusion_matrix(rows["label"], rows["predicted"], labels=EMOTIONS)
    counts = confusion_counts(join(predictions, labels)["test"])
    np.testing.assert_array_equal(counts, expected)
    assert not np.array_equal(counts, counts.T)


def test_the_counts_are_those_of_the_table() -> None:
    labels = labels_table()
    outcomes = join(predictions_table(labels), labels)["test"]
    pairs = confusion_table(outcomes).value_counts(["actual", "predicted"])
    counts = confusion_counts(outcomes)
    for actual, predicted in np.ndindex(counts.shape):
        assert pairs.get((EMOTIONS[actual], EMOTIONS[predicted]), 0) == counts[actual, predicted]


def test_errors_stand_by_count_then_by_share_and_right_answers_are_none() -> None:
    counts = np.diag([10, 0, 5, 9, 9, 9, 9])
    counts[0, 3], counts[2, 5], counts[1, 0], counts[5, 2] = 4, 4, 1, 7
    expected = pd.DataFrame(
        [
            ("surprise", "fear", 7, 0.4375),
            ("fear", "surprise", 4, 0.444444),
            ("angry", "happy", 4, 0.285714),
            ("disgust", "angry", 1, 1.0),
        ],
        columns=["actual", "predicted", "count", "share"],
    )
    pd.testing.assert_frame_equal(top_confusions(counts), expected, check_dtype=False)


def test_equal_errors_stand_in_the_order_of_the_emotions() -> None:
    table = top_confusions(np.ones((7, 7), dtype=np.int64))
    assert len(table) == 42
    assert list(table["actual"]) == [emotion for emotion in EMOTIONS for _ in range(6)]
    assert list(table["predicted"][:6]) == list(EMOTIONS[1:])


def test_without_an_error_there_is_no_row() -> None:
    table = top_confusions(np.diag(np.arange(7)))
    assert list(table.columns) == ["actual", "predicted", "count", "share"]
    assert table.empty
