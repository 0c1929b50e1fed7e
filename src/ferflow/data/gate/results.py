"""What was found for one expectation, as plain values: what, how many, which samples, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Offender:
    """A sample that breaks an expectation: where it comes from, and what was found there."""

    source: str
    found: str

    def __str__(self) -> str:
        return f"{_on_one_line(self.source)} ({_on_one_line(self.found)})"


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
        table: The table it is about, one of those that `ferflow.data.gate.tables` and `pixels` name.
        column: The column it is about; None for the whole table.
        severity: A failed `error` stops the run, a failed `warning` is reported.
        limit: The key of `validate` in params.yaml that it enforces, if there is one.
        threshold: The value of that key.
        remedy: What to do when it fails, in whole sentences.
        finding: What was found; None where nothing can be said: a column is missing or has the wrong
            type, or there are too few samples.
    """

    what: str
    table: str
    column: str | None
    severity: Severity
    limit: str | None
    threshold: int | float | None
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
        return (
            f"{observed:,.4g}"
            if isinstance(observed, float)
            else f"{observed:,}"
            if isinstance(observed, int)
            else str(observed)
        )

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


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
