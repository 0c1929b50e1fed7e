"""Do the committed numbers follow from the committed answers?"""

from __future__ import annotations

import math
from typing import Any, Final

from ferflow.evaluation.confusions import confusion_counts
from ferflow.evaluation.intervals import intervals
from ferflow.evaluation.metrics import scores
from ferflow.gate.boards import Board, Report
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
            written = _number(report.metrics, split, name)
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


def check_leaderboard(board: Board) -> list[Finding]:
    """Return what in leaderboard.csv and champion.json does not follow from the models' metrics.json."""
    findings: list[Finding] = []
    if board.leaderboard is not None:
        wrong = _leaderboard_defects(board)
        if wrong:
            findings.append(_disagreement(board, "leaderboard.csv", wrong))
    if isinstance(board.champion, dict):
        name = str(board.champion.get("model"))
        if name not in board.reports and name not in board.defects:
            wrong = [f"it names the model {name}, of which there are no predictions"]
        elif name in board.reports:
            wrong = _disagreements(board.champion, board.reports[name], name)
        else:
            wrong = []
        if wrong:
            findings.append(_disagreement(board, "champion.json", wrong))
    return findings


def _disagreement(board: Board, file: str, wrong: list[str]) -> Finding:
    path = f"reports/{board.name}/{file}"
    message = f"{path} does not agree with metrics.json: {_list(wrong)}; run `make repro`."
    return Finding("leaderboard", board.name, message)


def _leaderboard_defects(board: Board) -> list[str]:
    assert board.leaderboard is not None  # noqa: S101 - for the type checker
    listed = [str(name) for name in board.leaderboard["model"]]
    there = {*board.reports, *board.defects}
    wrong = [f"{name} is listed, and has no predictions" for name in sorted({*listed} - there)]
    wrong += [f"{name} has predictions, and is not listed" for name in sorted(there - {*listed})]
    for row in board.leaderboard.to_dict("records"):
        if (name := str(row["model"])) in board.reports:
            wrong += _disagreements(row, board.reports[name], name)
    chosen_by = [
        _number(board.reports[name].metrics, "val", "macro_f1") for name in listed if name in board.reports
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


def _number(metrics: Any, split: str, name: str) -> float:
    try:
        return float(metrics[split][name])
    except (KeyError, TypeError, ValueError, IndexError):
        return math.nan


def _list(problems: list[str]) -> str:
    more = len(problems) - _SHOWN
    return ", ".join(problems[:_SHOWN]) + (f", and {more} more" if more > 0 else "")
