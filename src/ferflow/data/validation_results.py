"""The answer to one expectation as plain values: what, how many, which samples, what to do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd

from ferflow.errors import FerflowError

Severity = Literal["error", "warning"]
Outcome = Literal["passed", "failed", "skipped"]

_MOST_OFFENDERS: Final = 3
_MOST_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True)
class Offender:
    """A sample that breaks an expectation: where it comes from, and what was found there."""

    source: str
    found: str

    def __str__(self) -> str:
        return f"{self.source} ({self.found})"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one expectation.

    Attributes:
        success: Whether the expectation holds.
        observed: What was measured, for an expectation about a column or a table as a whole.
        checked: Number of values looked at, for an expectation about single values.
        unexpected: How many of them break it.
        offenders: The first of them, three at most. An expectation that tolerates some may hold
            and still have offenders.
    """

    success: bool
    observed: str | float | None = None
    checked: int | None = None
    unexpected: int | None = None
    offenders: tuple[Offender, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """How the data fare against one expectation.

    Attributes:
        what: What must hold, in plain words.
        column: The column it is about; None for the whole table.
        severity: A failed `error` stops the run, a failed `warning` is reported.
        limit: The key of `validate` in params.yaml that it enforces, if there is one.
        threshold: The value of that key.
        remedy: What to do when it fails, in whole sentences.
        finding: What was found; None where the column is missing or has the wrong type, so that
            nothing can be said.
    """

    what: str
    column: str | None
    severity: Severity
    limit: str | None
    threshold: float | None
    remedy: str
    finding: Finding | None

    @property
    def outcome(self) -> Outcome:
        """Whether the expectation `passed`, `failed`, or was `skipped`."""
        if self.finding is None:
            return "skipped"
        return "passed" if self.finding.success else "failed"

    @property
    def fraction(self) -> float | None:
        """The share of the values looked at that break the expectation, in [0, 1]."""
        if self.finding is None or self.finding.unexpected is None:
            return None
        return self.finding.unexpected / max(self.finding.checked or 0, 1)

    @property
    def observation(self) -> str:
        """What was found, in words: `2 of 1,600 fail (0.125 %)`, or the observed value."""
        if self.finding is None:
            return "not checked"
        if self.fraction is not None:
            share = f" ({percent(self.fraction)})" if self.fraction else ""
            return f"{self.finding.unexpected:,} of {self.finding.checked:,} fail{share}"
        observed = self.finding.observed
        return f"{observed:,}" if isinstance(observed, int | float) else str(observed)

    @property
    def line(self) -> str:
        """The result as one line for a terminal: what, how many, offenders, what to do."""
        word = "warning" if self.severity == "warning" else "failed"
        found = "found " if self.fraction is None else ""
        offenders = self.finding.offenders if self.finding else ()
        examples = f", e.g. {', '.join(map(str, offenders))}" if offenders else ""
        return f"{word}: {self.what}: {found}{self.observation}{examples}. {self.remedy}"


def percent(fraction: float) -> str:
    """Return a fraction as a percentage with three significant digits: `0.00125` is `0.125 %`."""
    return f"{100 * fraction:.3g} %"


def read_answer(what: str, answer: Any, table: pd.DataFrame, column: str | None) -> Finding:
    """Return a validation result of Great Expectations as plain values.

    Args:
        what: What the expectation means, for an error message.
        answer: An `ExpectationValidationResult` in the COMPLETE format.
        table: The table it is about, numbered 0 to N - 1. Offenders are named by its column
            `source`, or by their row where there is none.
        column: The column it is about.

    Raises:
        FerflowError: The expectation raised, which Great Expectations reports as if the data had
            failed it.
    """
    _raise_exception(what, dict(answer.exception_info))
    result = answer.result
    if "unexpected_count" not in result:
        return Finding(answer.success, observed=_plain(result["observed_value"]))
    rows = table.loc[result["unexpected_index_list"]]
    unique = answer.expectation_config.type == "expect_column_values_to_be_unique"
    name_offenders = _copies if unique else _offenders
    return Finding(
        success=answer.success,
        checked=int(result["element_count"] - result.get("missing_count", 0)),
        unexpected=int(result["unexpected_count"]),
        offenders=tuple(itertools.islice(name_offenders(rows, str(column)), _MOST_OFFENDERS)),
    )


def _raise_exception(what: str, info: dict[str, Any]) -> None:
    # Either one exception, or one for each metric that the expectation needs.
    for exception in [info] if "raised_exception" in info else info.values():
        if exception["raised_exception"]:
            message = " ".join(str(exception["exception_message"]).split())
            raise FerflowError(
                f"the expectation '{what}' could not be evaluated ({message}): "
                "mend its entry in ferflow/data/expectations.py."
            )


def _offenders(rows: pd.DataFrame, column: str) -> Iterator[Offender]:
    for _, row in rows.iterrows():
        yield Offender(_name(row), f"{column} {_word(row[column])}")


def _copies(rows: pd.DataFrame, column: str) -> Iterator[Offender]:
    """Yield every row but the first of each value: a copy says little without what it repeats."""
    first: dict[Any, str] = {}
    for _, row in rows.iterrows():
        if row[column] in first:
            yield Offender(_name(row), f"same {column} as {first[row[column]]}")
        else:
            first[row[column]] = _name(row)


def _name(row: pd.Series) -> str:
    source = row.get("source")
    return f"row {row.name}" if pd.isna(source) else str(source)


def _word(value: Any) -> str:
    if pd.isna(value):
        return "empty"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


def _plain(observed: Any) -> str | float:
    """Return an observed value without types of NumPy; a list as its items."""
    if isinstance(observed, list):
        return ", ".join(map(str, observed))
    return observed if isinstance(observed, str | int) else float(observed)
