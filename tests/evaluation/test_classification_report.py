from __future__ import annotations

import numpy as np

from ferflow.evaluation.classification_report import report_text, report_values
from ferflow.labels import EMOTIONS

from .invented import outcomes_with

# Surprise is neither there nor predicted, neutral is predicted only.
OUTCOMES = outcomes_with(actual=[0, 1, 2, 3, 4, 4], probabilities=np.eye(7)[[0, 1, 2, 3, 4, 6]])


def test_every_emotion_has_its_row_whether_it_is_there_or_not() -> None:
    lines = report_text(OUTCOMES).splitlines()
    assert [line.split()[0] for line in lines[2:9]] == list(EMOTIONS)
    assert max(map(len, lines)) < 80
    values = report_values(OUTCOMES)
    assert list(values) == [*EMOTIONS, "accuracy", "macro avg", "weighted avg"]
    assert values["surprise"] == {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 0}


def test_values_are_rounded_and_supports_are_whole() -> None:
    values = report_values(OUTCOMES)
    assert values["accuracy"] == 0.833333
    assert values["sad"] == {"precision": 1.0, "recall": 0.5, "f1-score": 0.666667, "support": 2}
    assert type(values["macro avg"]["support"]) is int
