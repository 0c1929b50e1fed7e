"""What the data gate found, as plain values, and the forms in which it is written for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from ferflow.data.gate.results import Result, percent
from ferflow.data.labelled import SPLITS
from ferflow.labels import EMOTIONS

#: How a table of counts calls a sample that is in no split, or that has no label.
LEFT_OUT: Final = "left out"
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
        counts: Samples by label and by the split that they are in.
        left_out: Samples in no split by the reason why, the most frequent first.
        set_aside: Files that were left out on purpose, by the reason why, the most frequent first.
        first_rejects: The first 50 rejects.
    """

    results: tuple[Result, ...]
    samples: int
    rejects: int
    counts: dict[str, dict[str, int]]
    left_out: dict[str, int]
    set_aside: dict[str, int]
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
        columns = ["what", "table", "column", "severity", "outcome", "limit", "threshold", "observation"]
        rows = [[getattr(item, name) for name in columns] for item in self.results]
        return pd.DataFrame(rows, columns=columns, dtype=object)

    def as_html(self) -> str:
        """Return the report as one self-contained page: no script, no font, no address to fetch."""
        environment = Environment(
            loader=PackageLoader("ferflow.data.gate"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters["percent"] = percent
        splits = list(dict.fromkeys(split for row in self.counts.values() for split in row))
        return environment.get_template("report.html.j2").render(report=self, splits=splits)


def build_report(results: Iterable[Result], samples: pd.DataFrame, rejects: pd.DataFrame) -> Report:
    """Return a report of `results` with a summary of the data.

    Args:
        results: In the order in which they are to be shown.
        samples: One row per sample; `label`, `split` and `reason` may be missing or hold anything.
        rejects: What did not become a sample; any column may be missing.
    """
    listed = rejects.reindex(columns=["source", "reason", "remedy", "defect"])
    defect = listed.pop("defect").ne(False)  # what cannot be told is not passed over
    listed = listed.astype(object).fillna("").astype(str)
    shown = listed[defect].head(_SHOWN_REJECTS)
    return Report(
        results=tuple(results),
        samples=len(samples),
        rejects=int(defect.sum()),
        counts=_count(samples),
        left_out=_by_reason(samples["reason"]) if "reason" in samples else {},
        set_aside=_by_reason(listed.loc[~defect, "reason"]),
        first_rejects=tuple(Reject(*row) for row in shown.itertuples(index=False)),
    )


def _count(samples: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the samples of each label and split; every row has the same splits, in the same order."""
    if samples.empty or not {"label", "split"} <= set(samples.columns):
        return {}
    labels = samples["label"].astype(object).fillna(UNLABELLED).astype(str)
    splits = samples["split"].astype(object).fillna(LEFT_OUT).astype(str)
    counts = pd.crosstab(labels, splits)
    rows = [*EMOTIONS, *(name for name in counts.index if name not in EMOTIONS)]
    known = [*SPLITS, *(name for name in counts.columns if name not in (*SPLITS, LEFT_OUT)), LEFT_OUT]
    counts = counts.reindex(index=rows, columns=known, fill_value=0)
    return {row: {column: int(counts.loc[row, column]) for column in known} for row in rows}


def _by_reason(reasons: pd.Series) -> dict[str, int]:
    counts = reasons.value_counts()
    in_order = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return {str(reason): int(count) for reason, count in in_order}
