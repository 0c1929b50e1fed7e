"""Are both sides, and all models of a side, measured on the same samples?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from ferflow.evaluation.outcomes import EVALUATED_SPLITS
from ferflow.gate.boards import Board
from ferflow.gate.verdict import Finding

_SPLITS: Final = EVALUATED_SPLITS


@dataclass(frozen=True)
class SplitChange:
    """How a split differs from the base's.

    Args:
        split: Its name.
        gone: Samples that only the base has.
        new: Samples that only the work tree has.
        relabelled: Samples of both whose label is another one.
        samples: Samples of the work tree.
    """

    split: str
    gone: int
    new: int
    relabelled: int
    samples: int

    @property
    def members(self) -> bool:
        """Whether other samples are in it."""
        return bool(self.gone or self.new)

    def __str__(self) -> str:
        parts = [
            f"{count:,} {what}"
            for count, what in (
                (self.new, "new sample ids"),
                (self.gone, "gone"),
                (self.relabelled, "with another label"),
            )
            if count
        ]
        return f"the {self.split} split changed ({', '.join(parts)}; {self.samples:,} samples now)"


def truth_of(board: Board) -> pd.DataFrame | None:
    """Return `split` and `label` by sample id, as most of the models' tables have them."""
    truths = [report.truth for report in board.reports.values()]
    if not truths:
        return None
    return max(truths, key=lambda truth: sum(truth.equals(other) for other in truths))


def odd_ones_out(board: Board, truth: pd.DataFrame) -> dict[str, Finding]:
    """Return what is wrong with tables of other samples or labels than their siblings', by model."""
    findings = {}
    for name, report in board.reports.items():
        if report.truth.equals(truth):
            continue
        changes = [str(change) for change in changes_between(truth, report.truth)]
        what = "; ".join(changes).replace("changed", "is not that of the other models")
        findings[name] = Finding(
            "table",
            f"{board.name} {name}",
            f"{report.folder}/predictions.parquet: {what}: labels and ids do not belong together; "
            "run `make repro`.",
        )
    return findings


def changes_between(base: pd.DataFrame, now: pd.DataFrame) -> list[SplitChange]:
    """Return the splits that changed.

    Args:
        base: `split` and `label` by sample id.
        now: The same.
    """
    changes = []
    for split in _SPLITS:
        before, after = (truth.loc[truth["split"] == split, "label"] for truth in (base, now))
        common = before.index.intersection(after.index)
        change = SplitChange(
            split=split,
            gone=len(before) - len(common),
            new=len(after) - len(common),
            relabelled=int((before[common] != after[common]).sum()),
            samples=len(after),
        )
        if change.members or change.relabelled:
            changes.append(change)
    return changes
