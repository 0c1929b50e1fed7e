"""The verdict as Markdown, for a job's summary or a comment on a pull request."""

from __future__ import annotations

from ferflow.gate.text import counted, headline, sensitivity
from ferflow.gate.verdict import BoardVerdict, Change, Comparison, Verdict
from ferflow.gate.wording import interval, named, signed, value

_COLUMNS = ("accuracy", "macro_f1")


def as_markdown(verdict: Verdict) -> str:
    """Return the verdict first, then what stops the change, then each data set's models."""
    sign = "✅" if verdict.passed else "❌"
    parts = [f"## {sign} {_upper(headline(verdict))}"]
    if verdict.findings:
        parts.append("\n".join(f"- **{found.where}**: {found.message}" for found in verdict.findings))
    if verdict.warnings:
        # GitHub draws this as a coloured box.
        parts.append("\n".join(["> [!WARNING]", *(f"> - {words}" for words in verdict.warnings)]))
    if verdict.notes:
        parts.append("\n".join(f"- {words}" for words in verdict.notes))
    parts += [_board(board) for board in verdict.boards]
    return "\n\n".join(parts) + "\n"


def _board(board: BoardVerdict) -> str:
    parts = [f"### {board.name}", f"{_upper(counted(board))}."]
    before, after = board.best_names
    if after is not None:
        moved = f"**{after}**" if before in {after, None} else f"{before} → **{after}**"
        parts.append(f"Best model (by the leaderboard): {moved}.")
    rows = [_row(comparison, comparison.model) for comparison in board.compared]
    if board.best is not None:
        rows.append(_row(board.best, f"*best: {board.best.base_model} → {board.best.model}*"))
    if rows:
        head = [
            "model",
            "test samples",
            "accuracy",
            "difference (95 %)",
            "macro-F1",
            "difference (95 %)",
            "other drops",
        ]
        lines = [head, ["---"] * len(head), *rows]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        parts.append(f"{_upper(sensitivity(board))}." if board.noticeable is not None else "")
    return "\n\n".join(part for part in parts if part)


def _row(comparison: Comparison, name: str) -> list[str]:
    by_metric = {change.metric: change for change in comparison.changes}
    cells = [name, f"{comparison.samples:,}{'' if comparison.paired else ' (unpaired)'}"]
    for metric in _COLUMNS:
        change = by_metric[metric]
        cells += [f"{value(metric, change.base)} → {value(metric, change.now)}", _difference(change)]
    others = [change for change in comparison.changes if change.regressed and change.metric not in _COLUMNS]
    cells.append("; ".join(f"{named(change.metric)} {_difference(change)}" for change in others) or "–")
    return cells


def _difference(change: Change) -> str:
    words = f"{signed(change.metric, change.difference)} ({interval(change)})"
    return f"**{words}**" if change.regressed else words


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
