"""What the data gate found, as plain values, and the forms in which it is written for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from ferflow.data.validation_results import Result, percent
from ferflow.labels import EMOTIONS

#: How a table of counts calls a sample whose source declares no split, or that has no label.
UNDECLARED: Final = "undeclared"
UNLABELLED: Final = "(empty)"

_SHOWN_REJECTS: Final = 50


@dataclass(frozen=True, slots=True)
class Reject:
    """A file that could not be used."""

    source: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Report:
    """The results in the order of the suite, and a summary of the data they are about.

    Attributes:
        results: One for each expectation.
        samples: Number of samples.
        rejects: Number of files that could not be used.
        counts: Samples by label and by the split that the source declares.
        first_rejects: The first 50 rejects.
    """

    results: tuple[Result, ...]
    samples: int
    rejects: int
    counts: dict[str, dict[str, int]]
    first_rejects: tuple[Reject, ...]

    @property
    def errors(self) -> tuple[Result, ...]:
        """The failed expectations that stop the run."""
        return tuple(item for item in self.results if item.outcome == "failed" and item.severity == "error")

    @property
    def warnings(self) -> tuple[Result, ...]:
        """The failed expectations that are only reported."""
        return tuple(item for item in self.results if item.outcome == "failed" and item.severity == "warning")

    @property
    def success(self) -> bool:
        """Whether the run may go on."""
        return not self.errors

    @property
    def summary(self) -> str:
        """The outcome in one line, e.g. `38 expectations passed, 1 warning`."""
        outcomes = [item.outcome for item in self.results]
        parts = [f"{outcomes.count('passed')} expectations passed"]
        if self.errors:
            parts.append(f"{len(self.errors)} failed")
        if self.warnings:
            parts.append(f"{len(self.warnings)} warning{'s' if len(self.warnings) > 1 else ''}")
        if "skipped" in outcomes:
            parts.append(f"{outcomes.count('skipped')} not checked")
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return the whole report as values that JSON knows."""
        results = [
            {"outcome": item.outcome, **dataclasses.asdict(item), "fraction": item.fraction}
            for item in self.results
        ]
        return {
            "success": self.success,
            "summary": self.summary,
            **dataclasses.asdict(self),
            "results": results,
        }

    def as_table(self) -> pd.DataFrame:
        """Return one row for each expectation, without offenders and remedies."""
        columns = ["what", "column", "severity", "outcome", "limit", "threshold", "observation"]
        rows = [[getattr(item, name) for name in columns] for item in self.results]
        return pd.DataFrame(rows, columns=columns, dtype=object)

    def as_html(self) -> str:
        """Return the report as one self-contained page: no script, no font, no address to fetch."""
        environment = Environment(
            loader=PackageLoader("ferflow.data"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters["percent"] = percent
        usages = list(dict.fromkeys(usage for row in self.counts.values() for usage in row))
        return environment.get_template("validation.html.j2").render(report=self, usages=usages)


def build_report(results: Iterable[Result], samples: pd.DataFrame, rejects: pd.DataFrame) -> Report:
    """Return a report of `results` with a summary of the data.

    Args:
        results: In the order in which they are to be shown.
        samples: The samples table; `label` and `usage` may be missing or hold anything.
        rejects: `source`, `reason`, `remedy` of the files that could not be used.
    """
    shown = rejects.head(_SHOWN_REJECTS)[["source", "reason", "remedy"]].fillna("").astype(str)
    return Report(
        results=tuple(results),
        samples=len(samples),
        rejects=len(rejects),
        counts=_count(samples),
        first_rejects=tuple(Reject(*row) for row in shown.itertuples(index=False)),
    )


def _count(samples: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the samples of each label and usage; every row has the same usages, in the same order."""
    if samples.empty or not {"label", "usage"} <= set(samples.columns):
        return {}
    labels = samples["label"].astype(object).fillna(UNLABELLED).astype(str)
    usages = samples["usage"].astype(object).fillna(UNDECLARED).astype(str)
    counts = pd.crosstab(labels, usages)
    rows = [*EMOTIONS, *(name for name in counts.index if name not in EMOTIONS)]
    known = [name for name in ("train", "val", "test") if name in counts.columns]
    columns = [*known, *(name for name in counts.columns if name not in known)]
    counts = counts.reindex(index=rows, columns=columns, fill_value=0)
    return {row: {column: int(counts.loc[row, column]) for column in columns} for row in rows}
