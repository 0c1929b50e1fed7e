"""The verdict for a terminal: what stops the change, what a reviewer must see, and what was compared."""

from __future__ import annotations

from ferflow.gate.verdict import BoardVerdict, Verdict
from ferflow.gate.wording import interval, signed, value


def as_text(verdict: Verdict) -> str:
    """Return the verdict, its first line first."""
    lines = [headline(verdict)]
    lines += [f"  {found.where}: {found.message}" for found in verdict.findings]
    lines += [f"  WARNING: {words}" for words in verdict.warnings]
    lines += [f"  note: {words}" for words in verdict.notes]
    for board in verdict.boards:
        lines += _of_board(board)
    return "\n".join(lines)


def headline(verdict: Verdict) -> str:
    """Return the verdict in one line."""
    against = f"against {verdict.base_name}"
    if not verdict.base.startswith(verdict.base_name):
        against += f" ({verdict.base[:7]})"
    count = len(verdict.findings)
    problems = f", {count} problem{'s' if count > 1 else ''}" if count else ""
    return f"gate: {'passed' if verdict.passed else 'FAILED'} {against}{problems}"


def counted(board: BoardVerdict) -> str:
    """Return how many models of a data set and budget are the same, changed, new and removed."""
    groups = (
        ("unchanged", board.same, False),
        ("compared", [comparison.model for comparison in board.compared], False),
        ("new", board.new, True),
        ("removed", board.removed, True),
    )
    parts = []
    for what, names, named in groups:
        listed = f" ({', '.join(names)})" if named else ""
        parts += [f"{len(names)} {what}{listed}"] if names else []
    return ", ".join(parts) or "no models"


def sensitivity(board: BoardVerdict) -> str:
    """Return from where on a drop of accuracy is told from noise; nothing where nothing was compared."""
    if board.noticeable is None:
        return ""
    return f"a drop of accuracy below {100 * board.noticeable:.1f} points is not told from noise here"


def _of_board(board: BoardVerdict) -> list[str]:
    lines = [f"  {board.name}: {counted(board)}"]
    before, after = board.best_names
    if before != after and None not in board.best_names:
        lines.append(f"    best model: {before} → {after}")
    for comparison in board.compared:
        for change in comparison.changes[:1]:
            lines.append(
                f"    {comparison.model}: accuracy {value(change.metric, change.base)} → "
                f"{value(change.metric, change.now)} ({signed(change.metric, change.difference)}, "
                f"95 % {interval(change)})"
            )
    if words := sensitivity(board):
        lines.append(f"    {words}")
    return lines
