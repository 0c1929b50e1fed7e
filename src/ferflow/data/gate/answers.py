"""Great Expectations' answers, read into plain values."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from ferflow.data.gate.check import Check
from ferflow.data.gate.results import Finding, Offender
from ferflow.errors import FerflowError

MOST_OFFENDERS: Final = 3

_MOST_CHARACTERS: Final = 60


def read_answer(check: Check, answer: Any, table: pd.DataFrame) -> Finding:
    """Return a validation result of Great Expectations as plain values.

    Args:
        check: What was asked.
        answer: An `ExpectationValidationResult` in the SUMMARY format.
        table: The table it is about, numbered 0 to N - 1. Offenders are named by its column
            `source`, or by their row where there is none.

    Raises:
        FerflowError: The expectation raised, which Great Expectations reports as if the data had
            failed it.
    """
    _raise_exception(check.what, dict(answer.exception_info))
    result = answer.result
    if "element_count" not in result:
        return Finding(bool(answer.success), observed=_plain(result["observed_value"]))
    unexpected = int(result["unexpected_count"])
    if not unexpected:
        offenders = []
    elif answer.expectation_config.type == "expect_column_values_to_be_unique":
        offenders = _repetitions(table, str(check.column))
    else:
        offenders = _offenders(table.iloc[result["partial_unexpected_index_list"]], check)
    return Finding(
        success=bool(answer.success),
        checked=int(result["element_count"] - result.get("missing_count", 0)),
        unexpected=unexpected,
        offenders=tuple(offenders),
    )


def _raise_exception(what: str, info: dict[str, Any]) -> None:
    # Either one exception, or one for each metric that the expectation needs.
    for exception in [info] if "raised_exception" in info else info.values():
        if exception["raised_exception"]:
            message = " ".join(str(exception["exception_message"]).split())
            raise FerflowError(
                f"the expectation '{what}' could not be evaluated ({message}): "
                "mend its entry in ferflow/data/gate/suite.py."
            )


def _offenders(rows: pd.DataFrame, check: Check) -> list[Offender]:
    column = str(check.column)
    found = check.found or f"{column} {{}}"
    return [Offender(_name(row), found.format(_word(row[column]))) for _, row in rows.iterrows()]


def _repetitions(table: pd.DataFrame, column: str) -> list[Offender]:
    """Return every row but the first of each value: a copy says little without what it repeats."""
    repeated = table[table[column].duplicated() & table[column].notna()].head(MOST_OFFENDERS)
    firsts = table[table[column].isin(repeated[column])].drop_duplicates(column).set_index(column, drop=False)
    return [
        Offender(_name(row), f"same {column} as {_name(firsts.loc[row[column]])}")
        for _, row in repeated.iterrows()
    ]


def _name(row: pd.Series) -> str:
    source = row.get("source")
    return f"row {row.name}" if pd.isna(source) else str(source)


def _word(value: Any) -> str:
    if pd.isna(value):
        return "empty"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


def _plain(observed: Any) -> str | int | float:
    """Return an observed value without types of NumPy; a list as its items."""
    if isinstance(observed, list):
        return ", ".join(map(str, observed))
    plain: str | int | float = observed.item() if hasattr(observed, "item") else observed
    return plain
