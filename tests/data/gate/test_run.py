from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
import pytest

from ferflow.data.gate.check import Check
from ferflow.data.gate.run import evaluate
from ferflow.data.gate.schema import COLUMN_TYPES
from ferflow.data.gate.tables import judged_tables
from ferflow.data.sample_tables import REJECT_COLUMNS, SAMPLE_COLUMNS
from ferflow.errors import FerflowError

from .gate_data import LIMITS, good_data, rejects


def test_columns_are_those_that_the_stages_write() -> None:
    assert tuple(COLUMN_TYPES["samples"]) == SAMPLE_COLUMNS
    assert tuple(COLUMN_TYPES["rejects"]) == REJECT_COLUMNS
    assert list(COLUMN_TYPES["splits"]) == list(good_data().split().columns)


def test_tables_survive_their_files(tmp_path: Path) -> None:
    """Columns without any value, and a table of rejects without rows, have no types in a file."""
    data = good_data()
    data.samples["usage"] = None
    splits = data.split()
    for name, table in {"samples": data.samples, "splits": splits}.items():
        table.to_parquet(tmp_path / name, index=False)
    data.rejects.to_csv(tmp_path / "rejects.csv", index=False)
    data.samples = pd.read_parquet(tmp_path / "samples").astype({"width": "int64", "mean": "float64"})
    data.splits = pd.read_parquet(tmp_path / "splits")
    data.rejects = pd.read_csv(tmp_path / "rejects.csv")
    assert data.judge().errors == ()


def test_empty_tables_fail_for_their_size_and_are_no_exception() -> None:
    data = good_data()
    data.splits = data.split()[:0]
    data.samples, data.images = data.samples[:0], data.images[:0]
    assert {result.limit for result in data.judge().errors} == {"min_samples", "min_samples_per_label"}


def test_missing_column_fails_the_schema_and_skips_what_needs_it() -> None:
    data = good_data()
    data.splits = data.split()
    data.samples = data.samples.drop(columns="label")
    report = data.judge()
    (result,) = report.errors
    assert result.what.startswith("the columns of samples are sample_id, label,")
    assert "found sample_id, source, usage" in result.line
    skipped = {(item.table, item.column) for item in report.results if item.outcome == "skipped"}
    assert skipped == {
        ("samples", "label"),
        ("samples", "copy_of"),
        ("groups", "contradiction"),
        ("held_out", "leaked_from"),
        ("classes", "samples"),
        ("whole", "class_ratio"),
        *(("array", f"signal_{split}") for split in ("train", "val", "test")),
    }
    assert report.counts == {}


def test_missing_source_names_offenders_by_their_row() -> None:
    data = good_data()
    data.splits = data.split()
    data.copy("train/sad/13.png", source="test/sad/59.png")
    row, other = data.row("train/sad/13.png"), data.row("test/sad/59.png")
    data.samples = data.samples.drop(columns="source")
    lines = [result.line for result in data.judge().errors]
    assert [line.split(":")[1][:22] for line in lines] == [" the columns of sample", " at most 0 images of v"]
    assert f"row {other} (same pixels as row {row} in train)" in lines[1]


def test_wrong_types_fail_their_own_expectation_and_skip_the_content() -> None:
    data = good_data()
    data.splits = data.split()
    data.samples = data.samples.astype({"width": "float64", "std": "str", "label": "category"})
    data.samples["sample_id"] = data.samples["sample_id"].map(str.encode)
    report = data.judge()
    assert [result.line.split(", e.g.")[0].split(". ")[0] for result in report.errors][:4] == [
        "failed: samples: sample_id holds str: 420 of 420 fail (100 %)",
        "failed: samples: label holds str: found CategoricalDtypeType",
        "failed: samples: width holds int32 or int64: found float64",
        "failed: samples: std holds float32 or float64: 420 of 420 fail (100 %)",
    ]
    asked = {
        item.column for item in report.results if item.table == "samples" and not item.what.count(" holds ")
    }
    skipped = {item.column for item in report.results if item.outcome == "skipped"}
    assert {"sample_id", "label", "width", "std", "smaller_side"} <= skipped & asked


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        (gxe.ExpectColumnValuesToBeBetween(column="label", min_value=1), "of the same type"),
        (gxe.UnexpectedRowsExpectation(unexpected_rows_query="SELECT * FROM {batch}"), "No provider found"),
    ],
)
def test_expectation_that_raises_is_an_error_and_not_a_failure(expectation: Any, message: str) -> None:
    check = Check("samples", "all is well", expectation, "Nothing.")
    with pytest.raises(FerflowError) as caught:
        evaluate([check], {"samples": good_data().samples}, LIMITS)
    assert str(caught.value).startswith("the expectation 'all is well' could not be evaluated (")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_results_have_the_order_of_the_checks() -> None:
    data = good_data()
    tables = {"samples": data.samples, "rejects": rejects(unusable=1)}
    checks = [
        Check(table, name, gxe.ExpectColumnValuesToNotBeNull(column=column), "Nothing.")
        for table, name, column in (
            ("samples", "d", "std"),
            ("rejects", "c", "reason"),
            ("samples", "a", "width"),
            ("nowhere", "e", "width"),
            ("samples", "b", "label"),
        )
    ]
    results = evaluate(checks, tables, LIMITS)
    assert [item.what for item in results] == ["d", "c", "a", "e", "b"]
    assert [item.outcome for item in results] == ["passed", "passed", "passed", "skipped", "passed"]


def test_report_depends_on_nothing_but_the_values() -> None:
    data = good_data()
    data.copy("train/sad/13.png", source="test/sad/59.png")
    data.duplicates = "keep"
    splits = data.split()
    first = data.judge()
    reordered = dataclasses.replace(
        data,
        samples=data.samples.set_index(pd.Index(range(1000, 580, -1))),
        splits=splits.set_index(pd.Index(range(7, 427))),
    )
    before = reordered.samples.copy()
    assert json.dumps(reordered.judge().as_json(), allow_nan=False) == json.dumps(first.as_json())
    pd.testing.assert_frame_equal(reordered.samples, before)


def test_a_null_in_any_column_is_no_exception() -> None:
    data = good_data()
    data.splits = data.split()
    for row, column in enumerate(data.samples.columns):
        if column not in ("width", "height"):
            data.samples.loc[row, column] = np.nan if column in ("mean", "std") else None
    empty = {f"{name} is never empty" for name in ("sample_id", "label", "source", "sha256", "mean", "std")}
    assert empty <= {result.what for result in data.judge().errors}


def test_copies_name_the_first_of_them_and_contradictions_the_first_two() -> None:
    samples = pd.DataFrame(
        {
            "sample_id": list("abcdef"),
            "label": ["sad", "sad", "happy", "fear", "fear", "fear"],
            "source": [f"{name}.png" for name in "abcdef"],
            "sha256": ["1", "1", "1", "2", "3", "2"],
        }
    )
    splits = pd.DataFrame(
        {"sample_id": list("abcdef"), "split": ["train", "val", "test", "val", None, "val"], "reason": None}
    )
    tables = judged_tables(samples, splits, rejects())
    copies = tables["samples"]["copy_of"]
    assert copies.where(copies.notna(), None).tolist() == [None, "a.png", "a.png", None, None, "d.png"]
    assert tables["groups"].to_numpy().tolist() == [["a.png", "sad, but happy as c.png"], ["d.png", None]]
    assert tables["held_out"].to_numpy().tolist() == [
        ["b.png", "a.png in train"],
        ["c.png", "a.png in train"],
        ["d.png", None],
        ["f.png", None],
    ]
