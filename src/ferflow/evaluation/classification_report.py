"""scikit-learn's classification report of one split, as values and as text."""

from __future__ import annotations

from typing import Any, Final

from sklearn.metrics import classification_report

from ferflow.evaluation.outcomes import Outcomes
from ferflow.evaluation.rounding import DIGITS
from ferflow.labels import EMOTIONS

_FIXED: Final[dict[str, Any]] = {
    "labels": list(range(len(EMOTIONS))),
    "target_names": EMOTIONS,
    "zero_division": 0,
}


def report_text(outcomes: Outcomes) -> str:
    """Return the report as a table for a terminal of 80 columns."""
    return str(classification_report(outcomes.actual, outcomes.predicted, digits=3, **_FIXED))


def report_values(outcomes: Outcomes) -> dict[str, Any]:
    """Return the report as values, rounded to 6 digits."""
    report = classification_report(outcomes.actual, outcomes.predicted, output_dict=True, **_FIXED)
    return {name: _rounded(value) for name, value in report.items()}


def _rounded(value: float | dict[str, float]) -> float | dict[str, float]:
    if not isinstance(value, dict):
        return round(float(value), DIGITS)
    return {
        name: int(number) if name == "support" else round(float(number), DIGITS)
        for name, number in value.items()
    }
