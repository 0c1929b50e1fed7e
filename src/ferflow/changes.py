"""What a branch does to metrics, params and the leaderboard, as Markdown for whoever reviews it."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Final

import pandas as pd
from tabulate import tabulate

from ferflow.dvc_command import run_dvc
from ferflow.errors import FerflowError
from ferflow.files import write_text
from ferflow.git_command import git
from ferflow.stage import run

_SHOWN: Final = {"val_macro_f1": "val F1", "test_macro_f1": "test F1", "test_accuracy": "test accuracy"}
_COLUMNS: Final = ("rank", *_SHOWN)

Scores = dict[str, float]


def main() -> None:
    """Print, and write on request, what differs between a commit and the work tree."""
    parser = argparse.ArgumentParser(prog="python -m ferflow.changes", description=__doc__)
    parser.add_argument("--base", required=True, help="the commit to compare with, e.g. origin/main")
    parser.add_argument("--summary", type=Path, help="Markdown file to write, e.g. a CI job's summary")
    arguments = parser.parse_args()

    if git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{arguments.base}^{{commit}}").returncode:
        raise FerflowError(
            f"git knows no commit '{arguments.base}': fetch it, with its history (`git fetch --unshallow`)."
        )
    parts = [f"## What changed since {arguments.base}"]
    listed = git("ls-tree", "-r", "-z", "--name-only", "--end-of-options", arguments.base, "reports").stdout
    before = {path for path in listed.decode().split("\0") if path.endswith("/leaderboard.csv")}
    now = {path.as_posix() for path in Path("reports").glob("*/*/leaderboard.csv")}
    for path in sorted(before | now):
        then = (
            git("show", "--end-of-options", f"{arguments.base}:./{path}").stdout if path in before else None
        )
        after = Path(path).read_bytes() if path in now else None
        changes = leaderboard_changes(_board(then, f"{path} of {arguments.base}"), _board(after, path))
        parts += [f"### Leaderboard of {path.split('/', 1)[1].rpartition('/')[0]}", changes]
    for what in ("metrics", "params"):
        table = run_dvc(what, "diff", "--md", arguments.base, capture=True).strip()
        # Where nothing differs DVC prints the two lines of a head.
        parts += [f"### {what.capitalize()}", table if len(table.splitlines()) > 2 else "No change."]
    text = "\n\n".join(parts) + "\n"
    if arguments.summary:
        write_text(arguments.summary, text)
    print(text, end="")


def _board(content: bytes | None, name: str) -> pd.DataFrame | None:
    if content is None:
        return None
    try:
        board = pd.read_csv(io.BytesIO(content))
    except ValueError as error:
        raise FerflowError(
            f"{name} cannot be read ({error}): run `make repro`, or name another base."
        ) from None
    numbers = board.select_dtypes("number").columns
    if missing := [column for column in _COLUMNS if column not in numbers] or {"model"} - {*board.columns}:
        raise FerflowError(
            f"{name} has no numbers in {', '.join(missing)}: run `make repro`, or name another base."
        )
    return board


def leaderboard_changes(before: pd.DataFrame | None, after: pd.DataFrame | None) -> str:
    """Return a Markdown table of what moved on a leaderboard; "No change." if nothing did.

    Args:
        before: `rank`, `model`, `val_macro_f1`, `test_macro_f1`, `test_accuracy`; None if there was none.
        after: The same now; None if there is none any more.
    """
    then, now = (_by_model(table) for table in (before, after))
    rows = [row for name in now | then if (row := _row(name, then.get(name), now.get(name)))]
    headers = ["model", "rank", *_SHOWN.values()]
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True) if rows else "No change."


def _by_model(board: pd.DataFrame | None) -> dict[str, Scores]:
    if board is None:
        return {}
    return {str(row["model"]): {name: row[name] for name in _COLUMNS} for row in board.to_dict("records")}


def _row(name: str, then: Scores | None, now: Scores | None) -> list[str]:
    """Return a row of the table; nothing if the model is as it was."""
    if then == now:
        return []
    known = [each for each in (then, now) if each is not None]
    values = [" → ".join(_number(each[column], column) for each in known) for column in _COLUMNS]
    return [name + (" (new)" if then is None else " (removed)" if now is None else ""), *values]


def _number(value: float, column: str) -> str:
    return f"{value:.0f}" if column == "rank" else f"{value:.3f}"


if __name__ == "__main__":
    run(main)
