"""Tables whose cells are coloured: what the page shows as numbers and as a picture at once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ferflow import style
from ferflow.evaluation.wording import points
from ferflow.page import text
from ferflow.page.inputs import Model


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        words: What stands in it.
        note: A second line in small, or nothing.
        title: What it means, in a sentence.
        level: How strongly it is coloured, from 0 to 1.
        tone: The colour: `heat`, `better`, `worse`, or `none`.
    """

    words: str
    note: str = ""
    title: str = ""
    level: float = 0.0
    tone: str = "heat"


@dataclass(frozen=True, slots=True)
class Matrix:
    """Cells by row; as many in each row as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def confusion(counts: pd.DataFrame) -> Matrix:
    """Return the share of each actual emotion (row) that is taken for each emotion (column), and counts."""
    names = [str(name) for name in counts.columns]
    rows = []
    for actual, numbers in zip(names, counts.to_numpy().tolist(), strict=True):
        total = sum(numbers)
        cells = []
        for predicted, number in zip(names, numbers, strict=True):
            share = number / max(total, 1)
            title = f"{number:,} of {text.plural(total, 'image')} of {actual} taken for {predicted}"
            cells.append(
                Cell(_whole(share) if number else "0", f"{number:,}" if number else "", title, share)
            )
        rows.append((actual, tuple(cells)))
    return Matrix(tuple(names), tuple(rows))


def comparisons(pairs: pd.DataFrame, models: Sequence[Model]) -> Matrix:
    """Return the difference in test accuracy of each row's model to each column's, in percentage points.

    Coloured are differences that are real: McNemar's exact test, corrected by Holm's method, below 0.05.
    """
    by_pair: dict[tuple[str, str], Mapping[Hashable, Any]] = {
        (str(row["model_a"]), str(row["model_b"])): row for row in pairs.to_dict("records")
    }
    rows = []
    for row_model in models:
        cells = []
        for column_model in models:
            a, b = row_model.name, column_model.name
            if a == b:
                cells.append(Cell("·", tone="none", title=f"{a} itself"))
            elif (a, b) in by_pair:
                cells.append(_compared(a, b, by_pair[a, b], 1))
            elif (b, a) in by_pair:
                cells.append(_compared(a, b, by_pair[b, a], -1))
            else:
                cells.append(Cell("?", tone="none", title=f"{a} and {b} were not compared"))
        rows.append((row_model.name, tuple(cells)))
    return Matrix(tuple(str(model.standing.rank) for model in models), tuple(rows))


def robustness_of_models(models: Sequence[Model]) -> Matrix | None:
    """Return the mean accuracy over severities by model and corruption, clean first; None if not measured."""
    tables = {model.name: model.robustness for model in models if model.robustness is not None}
    if not tables:
        return None
    seen = pd.concat([table["corruption"] for table in tables.values()]).unique()
    names = [str(name) for name in seen if name != "none"]
    rows = []
    for name, table in tables.items():
        means = table.groupby("corruption")["accuracy"].mean()
        found = [(column, means.get(column)) for column in ["none", *names]]
        cells = [
            Cell("–", tone="none", title="not measured")
            if value is None
            else Cell(
                _whole(float(value)), "", f"{name}, {_spoken(column)}: {text.percent(value)}", float(value)
            )
            for column, value in found
        ]
        rows.append((name, tuple(cells)))
    return Matrix(("clean", *(text.spoken(name) for name in names)), tuple(rows))


def robustness(table: pd.DataFrame) -> Matrix:
    """Return the accuracy by corruption and severity."""
    corrupted = table[table["severity"] > 0]
    severities = sorted(int(severity) for severity in corrupted["severity"].unique())
    shares = corrupted.pivot_table(index="corruption", columns="severity", values="accuracy")
    rows = []
    for name in corrupted["corruption"].unique():
        cells = []
        for severity in severities:
            share = float(shares.loc[name, severity])
            if pd.isna(share):
                cells.append(Cell("–", tone="none", title="not measured"))
                continue
            title = f"{text.spoken(name)}, severity {severity}: {text.percent(share)}"
            cells.append(Cell(_whole(share), "", title, share))
        rows.append((text.spoken(str(name)), tuple(cells)))
    return Matrix(tuple(str(severity) for severity in severities), tuple(rows))


def _compared(a: str, b: str, pair: Mapping[Hashable, Any], sign: int) -> Cell:
    difference = sign * pair["accuracy_difference"]
    ends = sorted(sign * pair[f"accuracy_difference_{end}"] for end in ("low", "high"))
    only = [int(pair["only_a_right"]), int(pair["only_b_right"])][::sign]
    verdict = "real" if pair["differs"] else "not told apart"
    title = (
        f"{a} less {b}: {points(difference)} points of test accuracy, 95% interval "
        f"{points(ends[0])} to {points(ends[1])}; {only[0]:,} right only by {a}, {only[1]:,} only "
        f"by {b}; p {text.p_value(pair['p_value_holm'])} after Holm's correction: {verdict}"
    )
    tone = ("better" if difference > 0 else "worse") if pair["differs"] else "none"
    return Cell(points(difference), "", title, 0.0, tone)


def _whole(share: float) -> str:
    """Return a whole percentage without its sign: a table full of them is easier to read."""
    return style.percent(share).removesuffix("%")


def _spoken(corruption: str) -> str:
    return "clean images" if corruption == "none" else text.spoken(corruption)
