"""One entry of the gate's suite, and what entries share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

_STAGES: Final = {"samples": "ingest", "splits": "split", "rejects": "ingest"}


@dataclass(frozen=True, slots=True)
class Check:
    """One entry of the suite.

    Attributes:
        table: The table that it is about.
        what: What must hold, in plain words.
        expectation: The same for Great Expectations.
        remedy: What to do when it does not hold, as whole sentences.
        limit: The key of `validate` in params.yaml that it enforces, if there is one.
        found: How an offender's value is told, with `{}` in its place; None for the column and the value.
    """

    table: str
    what: str
    expectation: Any
    remedy: str
    limit: str | None = None
    found: str | None = None

    @property
    def column(self) -> str | None:
        """The column that must be sound for the check to make sense; None for the whole table."""
        return getattr(self.expectation, "column", None)


def make_again(table: str) -> str:
    """Return what to do about a defect of the stage that wrote `table`."""
    return f"Run dvc repro -f {_STAGES[table]}; if it stays, it is a defect of ferflow: report it."


def mostly(tolerated: float, rows: int) -> float:
    """Return the share of `rows` that must be sound if at most `tolerated` of them may not be."""
    # Half a row more than the whole number, so that no rounding decides.
    return max(0.0, 1 - (math.floor(tolerated + 1e-6) + 0.5) / max(rows, 1))
