"""Do the committed numbers follow from the committed answers?"""

from __future__ import annotations

import math
from typing import Any, Final

from ferflow.evaluation.confusions import confusion_counts
from ferflow.evaluation.intervals import intervals
from ferflow.evaluation.metrics import scores
from ferflow.gate.boards import SCORES, Board, Report
from ferflow.gate.verdict import Finding

_ROUNDING: Final = 2e-6  # metrics.json has six digits; the last may differ between processors
_DRAWN: Final = 0.01  # ends of intervals come from random draws, which another NumPy may draw otherwise
_SHOWN: Final = 3
#: Columns of leaderboard.csv, and keys of champion.json, are a split and a metric of metrics.json.
_SPLITS: Final = ("val", "test")


def check_metrics(board: str, report: Report, *, ends: bool) -> list[Finding]:
    """Return what in a model's metrics.json does not follow from its table of predictions.

    Args:
        board: `<data set>/<budget>`.
        report: The model's.
        ends: Whether the ends of intervals are drawn again as well, which takes longest.
    """
    path = f"{report.folder}/metrics.json"
    wrong = []
    for split, outcomes in report.outcomes.items():
        expected: dict[str, tuple[float, float]] = {
            name: (value, _ROUNDING) for name, value in scores(outcomes).items()
        }
        expected["samples"] = (len(outcomes.actual), 0)
        if ends:
            for name, interval in intervals(confusion_counts(outcomes)).items():
                expected |= {f"{name}_low": (interval.low, _DRAWN), f"{name}_high": (interval.high, _DRAWN)}
        for name, (value, tolerance) in expected.items():
            written = number(report.metrics, split, name)
            if not abs(written - value) <= tolerance:
                shown = "missing" if math.isnan(written) else f"{written:g}"
                wrong.append(f"{split}.{name} is {shown}, the predictions give {value:.6g}")
    if not wrong:
        return []
    return [
        Finding(
            "metrics",
            f"{board} {report.name}",
            f"{path} does not follow from predictions.parquet: {_list(wrong)}; "
            "run `make repro`, edit neither.",
        )
    ]


def check_leaderboard(board: Board, base: Board | None) -> list[Finding]:
    """Return what in leaderboard.csv and champion.json does not follow from the models' metrics.json.

    Args:
        board: Of the work tree.
        base: The same of the base, if it has it: a file that it has must not be gone.
    """
    findings = []
    for file, wrong, there, needed in (
        (
            "leaderboard.csv",
            _leaderboard_defects(board),
            board.leaderboard is not None,
            base is not None and base.leaderboard is not None,
        ),
        (
            "champion.json",
            _champion_defects(board),
            board.has_champion,
            base is not None and base.has_champion,
        ),
    ):
        path = f"reports/{board.name}/{file}"
        if wrong:
            message = f"{path} does not agree with metrics.json: {_list(wrong)}; run `make repro`."
            findings.append(Finding("leaderboard", board.name, message))
        elif needed and not there:
            message = f"{path} is in the base and not here: run `make repro` and commit it."
            findings.append(Finding("leaderboard", board.name, message))
    return findings


def _champion_defects(board: Board) -> list[str]:
    if not board.has_champion:
        return []
    champion = board.champion
    if not isinstance(champion, dict) or not {"model", *SCORES} <= {*champion}:
        return [f"it is no object with model, {', '.join(SCORES)}"]
    name = str(champion["model"])
    wrong = []
    if board.first is not None and name != board.first:
        wrong.append(f"it names {name}, the leaderboard's first is {board.first}")
    if name in board.reports:
        wrong += _disagreements(champion, board.reports[name], name)
    elif name not in board.defects:
        wrong.append(f"it names the model {name}, of which there are no predictions")
    return wrong


def _leaderboard_defects(board: Board) -> list[str]:
    if board.leaderboard is None:
        return []
    listed = [str(name) for name in board.leaderboard["model"]]
    there = {*board.reports, *board.defects}
    wrong = [f"{name} is listed, and has no predictions" for name in sorted({*listed} - there)]
    wrong += [f"{name} has predictions, and is not listed" for name in sorted(there - {*listed})]
    for row in board.leaderboard.to_dict("records"):
        if (name := str(row["model"])) in board.reports:
            wrong += _disagreements(row, board.reports[name], name)
    chosen_by = [
        number(board.reports[name].metrics, "val", "macro_f1") for name in listed if name in board.reports
    ]
    if chosen_by != sorted(chosen_by, reverse=True):
        wrong.append("the models are not in the order of their macro-F1 on val")
    return wrong


def _disagreements(row: dict[Any, Any], report: Report, name: str) -> list[str]:
    """Return the values of a row that are called `<split>_<metric>` and are not the model's."""
    wrong = []
    for key, value in row.items():
        split, _, metric = str(key).partition("_")
        known = report.metrics.get(split) if isinstance(report.metrics, dict) else None
        if split not in _SPLITS or not isinstance(known, dict) or metric not in known:
            continue
        if not _close(value, known[metric]):
            wrong.append(f"{name}'s {key} is {value}, metrics.json says {known[metric]}")
    return wrong


def _close(a: Any, b: Any) -> bool:
    try:
        return abs(float(a) - float(b)) <= _ROUNDING
    except (TypeError, ValueError):
        return False


def number(metrics: Any, split: str, name: str) -> float:
    """Return a number of a metrics.json; NaN if it is not there, or is no number."""
    try:
        return float(metrics[split][name])
    except (KeyError, TypeError, ValueError, IndexError):
        return math.nan


def _list(problems: list[str]) -> str:
    more = len(problems) - _SHOWN
    return ", ".join(problems[:_SHOWN]) + (f", and {more} more" if more > 0 else "")
