"""Reasons to refuse a change, in words."""

from __future__ import annotations

from collections.abc import Collection

from ferflow.gate.boards import Board
from ferflow.gate.consistency import number
from ferflow.gate.verdict import Change, Comparison, Finding, Kind
from ferflow.gate.wording import described
from ferflow.params.gate import FloorParams


def regressions(
    kind: Kind, board: str, comparison: Comparison, said: Collection[tuple[str, str]] = ()
) -> list[Finding]:
    """Return a finding for each regression but those that were `said` of the same model already."""
    same = comparison.model == comparison.base_model
    regressed: list[Change] = [
        change
        for change in comparison.changes
        if change.regressed and not (same and (comparison.model, change.metric) in said)
    ]
    who = comparison.model
    if kind == "best":
        renamed = f" (at the base {comparison.base_model})" if comparison.base_model != who else ""
        who = f"best model {who}{renamed}"
    return [Finding(kind, f"{board} {who}", described(change, comparison)) for change in regressed]


def broken_floors(board: Board, floors: FloorParams | None) -> list[Finding]:
    """Return a finding for each score of the best model that is below its floor."""
    if floors is None or board.best is None:
        return []
    of_test = {
        name: number(board.reports[board.best].metrics, "test", name) for name in FloorParams.model_fields
    }
    return [
        Finding(
            "floor",
            f"{board.name} best model {board.best}",
            f"test {metric} is {of_test[metric]:g}, below the floor of {floor} "
            f"(gate.floors.{board.name}.{metric} in params.yaml)",
        )
        for metric, floor in floors.model_dump(exclude_none=True).items()
        if not of_test[metric] >= floor  # also where it is missing
    ]


def removed(name: str, where: str, allowed: Collection[str]) -> list[Finding]:
    """Return a finding if a model, or a data set with its budget, is gone and may not be."""
    if name in allowed:
        return []
    return [
        Finding(
            "removed",
            where,
            f"the results of {name} are in the base and not here: bring them back, or say that it is meant "
            f"with --allow-removed {name}.",
        )
    ]
