"""The reports of one data set and budget, as one side of the comparison has them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.metrics import scores
from ferflow.evaluation.outcomes import EVALUATED_SPLITS, PROBABILITIES, Outcomes, join
from ferflow.evaluation.rounding import DIGITS
from ferflow.gate.trees import Tree
from ferflow.labels import EMOTIONS

_TABLE: Final = re.compile(r"reports/([^/]+/[^/]+)/(?:models|ensembles)/([^/]+)/predictions\.parquet")
_WORDS: Final = ["sample_id", "split", "label", "predicted"]
_COLUMNS: Final = [*_WORDS, *PROBABILITIES]
_TRUTH: Final = ["sample_id", "split", "label"]
#: What leaderboard.csv and champion.json say of a model.
SCORES: Final = ("val_macro_f1", "test_accuracy", "test_macro_f1")
_CHOOSING: Final = EVALUATED_SPLITS[0]


@dataclass(frozen=True, eq=False)
class Report:
    """One model's answers and what is written about them.

    Args:
        name: The model's or ensemble's.
        folder: Where its files are.
        content: The bytes of its table of predictions: equal bytes are equal answers.
        truth: `split` and `label` by `sample_id`, as its table has them.
        outcomes: By split.
        metrics: The content of its metrics.json; None if there is none.
    """

    name: str
    folder: str
    content: bytes
    truth: pd.DataFrame
    outcomes: dict[str, Outcomes]
    metrics: Any


@dataclass(frozen=True, eq=False)
class Board:
    """All models of one data set and budget.

    Args:
        name: `<data set>/<budget>`.
        reports: By model; those whose table is sound.
        defects: What is wrong with the tables of the other ones, by model.
        leaderboard: None where none is committed.
        has_champion: Whether champion.json is committed.
        champion: Its content.
    """

    name: str
    reports: dict[str, Report]
    defects: dict[str, str]
    leaderboard: pd.DataFrame | None
    has_champion: bool
    champion: Any

    @property
    def best(self) -> str | None:
        """The model whose answers have the highest macro-F1 on val; of several, the leaderboard's first."""
        # Rounded as on the leaderboard.
        scored = {
            name: round(scores(report.outcomes[_CHOOSING])["macro_f1"], DIGITS)
            for name, report in self.reports.items()
        }
        return max(scored, key=lambda name: (scored[name], name == self.first)) if scored else None

    @property
    def first(self) -> str | None:
        """The first of the leaderboard."""
        return None if self.leaderboard is None else str(self.leaderboard["model"].iloc[0])


def board_names(tree: Tree) -> set[str]:
    """Return the data sets and budgets of which there are tables of predictions, as `<data set>/<budget>`."""
    return {found[1] for path in tree.paths if (found := _TABLE.fullmatch(path))}


def read_board(tree: Tree, name: str, side: str) -> Board:
    """Return all reports of a data set and budget.

    Args:
        tree: Where they are.
        name: `<data set>/<budget>`.
        side: What messages call the tree.

    Raises:
        FerflowError: A file cannot be read.
    """
    folder = f"reports/{name}"
    reports, defects = {}, {}
    for path in sorted(tree.paths):
        found = _TABLE.fullmatch(path)
        if found is None or found[1] != name:
            continue
        try:
            reports[found[2]] = _read_report(tree, path, found[2], side)
        except _DefectError as defect:
            defects[found[2]] = str(defect)
    return Board(
        name=name,
        reports=reports,
        defects=defects,
        leaderboard=_leaderboard(tree, f"{folder}/leaderboard.csv", side),
        has_champion=f"{folder}/champion.json" in tree.paths,
        champion=_json(tree, f"{folder}/champion.json", side),
    )


class _DefectError(Exception):
    """A table that can be read, and is not right."""


def _read_report(tree: Tree, path: str, name: str, side: str) -> Report:
    content = tree.read(path)
    try:
        table = pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError) as error:
        raise _unreadable(path, side, error) from None
    if missing := [column for column in _COLUMNS if column not in table.columns]:
        raise FerflowError(
            f"{path} ({side}) has no column {', '.join(missing)}: it was written by another version; "
            "run `make repro`, or choose a later base."
        )
    if not all(pd.api.types.is_numeric_dtype(table[column]) for column in PROBABILITIES):
        raise _unreadable(path, side, ValueError("probabilities that are no numbers"))
    # Strings of Arrow take 80 times as long to be looked up in each other.
    table = table.astype(dict.fromkeys(_WORDS, object))
    folder = path.rpartition("/")[0]
    return Report(
        name=name,
        folder=folder,
        content=content,
        truth=table[_TRUTH].set_index("sample_id").sort_index(),
        outcomes=_outcomes(table, path),
        metrics=_json(tree, f"{folder}/metrics.json", side),
    )


def _outcomes(table: pd.DataFrame, path: str) -> dict[str, Outcomes]:
    twice = sorted(set(table.loc[table["sample_id"].duplicated(), "sample_id"].astype(str)))
    if twice:
        raise _DefectError(
            f"{path}: {len(twice):,} sample id(s) occur more than once, e.g. {twice[0]}; run `make repro`."
        )
    if unknown := sorted(set(table["label"].astype(str)) - set(EMOTIONS)):
        raise _DefectError(f"{path}: the labels {_few(unknown)} are no emotions; run `make repro`.")
    try:
        # Whether its labels are the truth is asked of its siblings and of the base.
        return join(table, table[_TRUTH])
    except FerflowError as error:
        raise _DefectError(f"{path}: {error}") from None


def _leaderboard(tree: Tree, path: str, side: str) -> pd.DataFrame | None:
    if path not in tree.paths:
        return None
    try:
        table = pd.read_csv(io.BytesIO(tree.read(path)))
        if table.empty:
            raise ValueError("no models in it")
        if missing := [name for name in ("rank", "model", *SCORES) if name not in table.columns]:
            raise ValueError(f"no column {', '.join(missing)}")
    except ValueError as error:
        raise _unreadable(path, side, error) from None
    return table.sort_values("rank", ignore_index=True)


def _json(tree: Tree, path: str, side: str) -> Any:
    if path not in tree.paths:
        return None
    try:
        return json.loads(tree.read(path))
    except ValueError as error:
        raise _unreadable(path, side, error) from None


def _unreadable(path: str, side: str, error: Exception) -> FerflowError:
    reason = " ".join(str(error).split())
    return FerflowError(
        f"{path} ({side}) cannot be read ({reason}): run `make repro`, or `git checkout` it; "
        "if it is the base's, choose another base."
    )


def _few(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return shown if len(names) <= 3 else f"{shown}, …"
