"""The gate: ask Great Expectations everything in the suite, and report what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ferflow.data.arrays import Images
from ferflow.data.gate.answers import MOST_OFFENDERS, read_answer
from ferflow.data.gate.check import Check
from ferflow.data.gate.pixels import judged_pixels
from ferflow.data.gate.report import Report, build_report
from ferflow.data.gate.results import Finding, Result
from ferflow.data.gate.schema import COLUMN_TYPES, schema_checks
from ferflow.data.gate.suite import content_checks
from ferflow.data.gate.tables import judged_tables
from ferflow.params import Limit, ValidateParams

Tables = Mapping[str, pd.DataFrame]


def judge(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    rejects: pd.DataFrame,
    images: Images,
    *,
    image_size: int,
    limits: ValidateParams,
) -> Report:
    """Return how the data, as they are split, fare against every expectation, in the order of the suite.

    Args:
        samples: One row per sample.
        splits: Their splits, in the same order.
        rejects: What did not become a sample.
        images: Their pixels, uint8 of shape (N, image_size, image_size, 1); memory-mapped.
        image_size: Height and width of the stored images in pixels.
        limits: The thresholds, and what happens beyond them.

    Returns:
        A report of plain values. Expectations on a column that is missing or mistyped are skipped.

    Raises:
        FerflowError: An expectation could not be evaluated, which is not a failure of the data.
    """
    given = {"samples": samples, "splits": splits, "rejects": rejects}
    schema = evaluate(schema_checks(), given, limits)
    passed = {(result.table, result.column) for result in schema if result.outcome == "passed"}
    sound = {
        name: given[name][[column for column in columns if (name, column) in passed]]
        for name, columns in COLUMN_TYPES.items()
    }
    tables = judged_tables(**sound)
    tables |= judged_pixels(tables["samples"], images)
    rows = {name: len(table) for name, table in tables.items()}
    content = evaluate(content_checks(limits, image_size, rows), tables, limits)
    return build_report([*schema, *content], tables["samples"], rejects)


def evaluate(checks: Sequence[Check], tables: Tables, limits: ValidateParams) -> list[Result]:
    """Return the result of every check, in the order of `checks`.

    Args:
        checks: Any part of the suite.
        tables: The tables that they name. A check whose table or column is missing is skipped.
        limits: Their thresholds and severities.

    Raises:
        FerflowError: One of them could not be evaluated.
    """
    findings: dict[int, Finding] = {}
    source = _data_source()
    for name in dict.fromkeys(check.table for check in checks if check.table in tables):
        # Great Expectations 1.24 does not know the string type of pandas 3 and calls such columns wrong.
        table = tables[name].reset_index(drop=True)
        table = table.astype(dict.fromkeys(table.select_dtypes("str"), object))
        asked = {
            number: check
            for number, check in enumerate(checks)
            if check.table == name and (check.column is None or check.column in table)
        }
        for number, answer in _ask(source, name, table, asked).items():
            findings[number] = read_answer(asked[number], answer, table)
    return [_result(check, findings.get(number), limits) for number, check in enumerate(checks)]


def _data_source() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types import base

    config = base.DataContextConfig(
        store_backend_defaults=base.InMemoryStoreBackendDefaults(),  # no docs site in a temporary folder
        progress_bars=base.ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config).data_sources.add_pandas("tables")


def _ask(source: Any, name: str, table: pd.DataFrame, checks: dict[int, Check]) -> dict[int, Any]:
    """Return Great Expectations' answers by the numbers of the checks: its own order is another."""
    import great_expectations as gx

    asset = source.add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": table})
    for number, check in checks.items():
        check.expectation.meta = {"number": number}
    suite = gx.ExpectationSuite(name, expectations=[check.expectation for check in checks.values()])
    # Not COMPLETE, whose lists are as long as the table where everything is wrong.
    form = {"result_format": "SUMMARY", "partial_unexpected_count": MOST_OFFENDERS}
    outcome = batch.validate(suite, result_format=form)
    return {answer.expectation_config.meta["number"]: answer for answer in outcome.results}


def _result(check: Check, finding: Finding | None, limits: ValidateParams) -> Result:
    limit: Limit | None = getattr(limits, check.limit) if check.limit else None
    return Result(
        what=check.what,
        table=check.table,
        column=check.column,
        severity=limit.severity if limit else "error",
        limit=check.limit,
        threshold=_shortest(limit.limit) if limit else None,
        remedy=check.remedy,
        finding=finding,
    )


def _shortest(threshold: float) -> int | float:
    return int(threshold) if threshold.is_integer() else threshold
