"""The gate: what a table of samples must be before anything is trained on it.

The suite is three lists, of the table's schema, its content, and the transfer of the files. Each
entry pairs an expectation of Great Expectations with what it means in plain words and what to do
when it fails. A failed expectation stops the run, unless its severity is `warning`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from ferflow.data.validation_report import Report, build_report
from ferflow.data.validation_results import Result, percent, read_answer
from ferflow.labels import EMOTIONS
from ferflow.params import ValidateParams

#: The columns of the samples table in order, each with the types that it may have.
COLUMN_TYPES: Final = {
    "sample_id": ["str"],
    "label": ["str"],
    "source": ["str"],
    "usage": ["str"],
    "sha256": ["str"],
    "width": ["int32", "int64"],
    "height": ["int32", "int64"],
    "mean": ["float32", "float64"],
    "std": ["float32", "float64"],
}

_INGEST_AGAIN: Final = "Run dvc repro -f ingest; if it stays, it is a defect of ferflow: report it."


@dataclass(frozen=True, slots=True)
class Check:
    """One entry of the suite.

    Attributes:
        what: What must hold, in plain words.
        expectation: The same for Great Expectations.
        remedy: What to do when it does not hold, as whole sentences.
        limit: The key of `validate` in params.yaml that it enforces, if there is one.
    """

    what: str
    expectation: Any
    remedy: str
    limit: str | None = None

    @property
    def column(self) -> str | None:
        """The column that must be sound for the check to make sense; None for the whole table."""
        condition = getattr(self.expectation, "row_condition", None)
        return condition.column.name if condition else getattr(self.expectation, "column", None)


def check(samples: pd.DataFrame, rejects: pd.DataFrame, params: ValidateParams) -> Report:
    """Return how the samples table fares against every expectation, in the order of the suite.

    Args:
        samples: One row per sample, with the columns `COLUMN_TYPES`.
        rejects: The files that could not be used: `source`, `reason`, `remedy`.
        params: The limits.

    Returns:
        A report of plain values; checks on a column that is missing or mistyped are skipped.

    Raises:
        FerflowError: An expectation could not be evaluated, which is not a failure of the data.
    """
    schema = evaluate(_schema_checks(), samples, params, unsound=COLUMN_TYPES.keys() - set(samples.columns))
    unsound = {result.column for result in schema if result.outcome != "passed"} - {None}
    content = evaluate(_content_checks(params), samples, params, unsound=unsound)
    transfer = evaluate(_transfer_checks(params), _list_files(samples, rejects), params)
    return build_report([*schema, *content, *transfer], samples, rejects)


def _schema_checks() -> list[Check]:
    import great_expectations.expectations as gxe

    return [
        Check(
            f"the columns are {', '.join(COLUMN_TYPES)}",
            gxe.ExpectTableColumnsToMatchOrderedList(column_list=list(COLUMN_TYPES)),
            _INGEST_AGAIN,
        ),
        *(
            Check(
                f"{column} holds {' or '.join(types)}",
                gxe.ExpectColumnValuesToBeInTypeList(column=column, type_list=types),
                _INGEST_AGAIN,
            )
            for column, types in COLUMN_TYPES.items()
        ),
    ]


def _content_checks(params: ValidateParams) -> list[Check]:
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    return [
        *(
            Check(f"{column} is never empty", gxe.ExpectColumnValuesToNotBeNull(column=column), _INGEST_AGAIN)
            for column in COLUMN_TYPES
            if column != "usage"
        ),
        *(
            Check(
                f"{column} is {digits} hexadecimal digits",
                gxe.ExpectColumnValuesToMatchRegex(column=column, regex=f"^[0-9a-f]{{{digits}}}$"),
                _INGEST_AGAIN,
            )
            for column, digits in (("sample_id", 16), ("sha256", 64))
        ),
        Check("sample_id is unique", gxe.ExpectColumnValuesToBeUnique(column="sample_id"), _INGEST_AGAIN),
        Check("source is unique", gxe.ExpectColumnValuesToBeUnique(column="source"), _INGEST_AGAIN),
        Check(
            "label is one of the seven emotions",
            gxe.ExpectColumnValuesToBeInSet(column="label", value_set=list(EMOTIONS)),
            "Rename these labels in the data, or add the name to ALIASES in ferflow/labels.py.",
        ),
        Check(
            "usage is train, val, test or undeclared",
            gxe.ExpectColumnValuesToBeInSet(column="usage", value_set=["train", "val", "test"]),
            "Let the reader in ferflow/data/formats translate the data set's own names of its splits.",
        ),
        Check(
            "no two images have the same pixels",
            gxe.ExpectColumnValuesToBeUnique(column="sha256", severity="warning"),
            "Copies that lie in two splits flatter the test score: keep one of each.",
        ),
        *(
            Check(
                f"{side} is at least {params.min_image_size} pixels",
                gxe.ExpectColumnValuesToBeBetween(column=side, min_value=params.min_image_size),
                "Remove these images, or fetch the data set in its original size.",
                limit="min_image_size",
            )
            for side in ("width", "height")
        ),
        Check(
            "mean is between 0 and 255 gray levels",
            gxe.ExpectColumnValuesToBeBetween(column="mean", min_value=0, max_value=255),
            _INGEST_AGAIN,
        ),
        Check(
            f"at most {percent(params.max_blank_fraction)} are blank images (std < {params.min_pixel_std:g})",
            gxe.ExpectColumnValuesToBeBetween(
                column="std", min_value=params.min_pixel_std, mostly=1 - params.max_blank_fraction
            ),
            "Look at these images and remove those that show nothing.",
            limit="max_blank_fraction",
        ),
        Check(
            f"there are at least {params.min_samples:,} samples",
            gxe.ExpectTableRowCountToBeBetween(min_value=params.min_samples),
            "Check that the archive is complete.",
            limit="min_samples",
        ),
        *(
            Check(
                f"there are at least {params.min_samples_per_label:,} samples of {emotion}",
                gxe.ExpectTableRowCountToBeBetween(
                    min_value=params.min_samples_per_label, row_condition=Column("label") == emotion
                ),
                f"Add images of {emotion}, or check that none of its folders is missing.",
                limit="min_samples_per_label",
            )
            for emotion in EMOTIONS
        ),
    ]


def _transfer_checks(params: ValidateParams) -> list[Check]:
    import great_expectations.expectations as gxe

    return [
        Check(
            f"at most {percent(params.max_reject_fraction)} of files could not be used",
            gxe.ExpectColumnValuesToBeNull(column="reason", mostly=1 - params.max_reject_fraction),
            "The table of rejects has a remedy for each; fetch the archive again if it was cut short.",
            limit="max_reject_fraction",
        ),
    ]


def evaluate(
    checks: Sequence[Check],
    table: pd.DataFrame,
    params: ValidateParams,
    unsound: Collection[str | None] = (),
) -> list[Result]:
    """Return the result of every check on `table`, in the order of `checks`.

    Args:
        checks: Any part of the suite.
        table: The rows to check; offenders are named by its column `source`.
        params: The limits, for the report.
        unsound: Columns about which nothing can be said: their checks are skipped.

    Raises:
        FerflowError: One of them could not be evaluated.
    """
    # Great Expectations 1.24 does not know the string type of pandas 3 and calls such columns wrong.
    table = table.reset_index(drop=True).astype(dict.fromkeys(table.select_dtypes("str"), object))
    answers = _ask({i: check for i, check in enumerate(checks) if check.column not in unsound}, table)
    return [_read(check, answers.get(i), table, params) for i, check in enumerate(checks)]


def _ask(checks: dict[int, Check], table: pd.DataFrame) -> dict[int, Any]:
    """Return Great Expectations' answers by the numbers of the checks: its own order is another."""
    import great_expectations as gx
    from great_expectations.data_context.types import base

    config = base.DataContextConfig(
        store_backend_defaults=base.InMemoryStoreBackendDefaults(),  # no docs site in a temporary folder
        progress_bars=base.ProgressBarsConfig(globally=False),
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": table})
    for number, check in checks.items():
        check.expectation.meta = {"number": number}
    suite = gx.ExpectationSuite("gate", expectations=[check.expectation for check in checks.values()])
    outcome = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    return {answer.expectation_config.meta["number"]: answer for answer in outcome.results}


def _read(check: Check, answer: Any | None, table: pd.DataFrame, params: ValidateParams) -> Result:
    """Return what is reported about a check; without an answer it was skipped."""
    return Result(
        what=check.what,
        column=check.column,
        severity="warning" if check.expectation.severity == "warning" else "error",
        limit=check.limit,
        threshold=getattr(params, check.limit) if check.limit else None,
        remedy=check.remedy,
        finding=None if answer is None else read_answer(check.what, answer, table, check.column),
    )


def _list_files(samples: pd.DataFrame, rejects: pd.DataFrame) -> pd.DataFrame:
    """Return all files that ingest saw: `source`, and the `reason` of those it could not use."""
    sources = [*samples.get("source", [None] * len(samples)), *rejects["source"]]
    reasons = [*[None] * len(samples), *rejects["reason"].fillna("unknown")]
    return pd.DataFrame({"source": sources, "reason": reasons}, dtype=object)
