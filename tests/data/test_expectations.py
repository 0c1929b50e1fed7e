import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
import pytest

from ferflow.data.expectations import COLUMN_TYPES, Check, check, evaluate
from ferflow.data.ingest import SAMPLE_COLUMNS
from ferflow.data.validation_report import Report
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.params import ValidateParams

ROOT = Path(__file__).parents[2]
PARAMS = ValidateParams(
    max_reject_fraction=0.1,
    min_samples=70,
    min_samples_per_label=9,
    min_image_size=32,
    max_blank_fraction=0.1,
    min_pixel_std=2.0,
)
NO_REJECTS = pd.DataFrame({"source": [], "reason": [], "remedy": []}, dtype=str)


def good_samples(per_label: int = 10) -> pd.DataFrame:
    rows = len(EMOTIONS) * per_label
    labels = [EMOTIONS[row % len(EMOTIONS)] for row in range(rows)]
    return pd.DataFrame(
        {
            "sample_id": [f"{row:016x}" for row in range(rows)],
            "label": labels,
            "source": [f"{label}/{row:02}.png" for row, label in enumerate(labels)],
            "usage": ["train"] * (rows - 2) + ["val", "test"],
            "sha256": [f"{row:064x}" for row in range(rows)],
            "width": np.full(rows, 48, np.int32),
            "height": np.full(rows, 48, np.int32),
            "mean": np.full(rows, 120.0, np.float32),
            "std": np.full(rows, 50.0, np.float32),
        }
    )


def some_rejects(count: int) -> pd.DataFrame:
    names = [f"bad/{row}.png" for row in range(count)]
    return pd.DataFrame({"source": names, "reason": "it is cut short", "remedy": "fetch it again"})


#: One or more defects for each expectation about single values, all of them in rows of their own.
DEFECTS: dict[str, dict[str, dict[int, Any]]] = {
    "label is never empty": {"label": {0: None}},
    "source is never empty": {"source": {1: None}},
    "mean is never empty": {"mean": {2: np.nan}},
    "sample_id is 16 hexadecimal digits": {"sample_id": {3: "3"}},
    "sha256 is 64 hexadecimal digits": {"sha256": {4: "A" * 64}},
    "sample_id is unique": {"sample_id": {6: f"{5:016x}"}},
    "source is unique": {"source": {8: "angry/07.png"}},
    "label is one of the seven emotions": {"label": {9: "bored"}},
    "usage is train, val, test or undeclared": {"usage": {10: "PublicTest"}},
    "no two images have the same pixels": {"sha256": {11: f"{12:064x}", 60: f"{12:064x}"}},
    "width is at least 32 pixels": {"width": {13: 31}},
    "height is at least 32 pixels": {"height": {14: 31}},
    "mean is between 0 and 255 gray levels": {"mean": {15: 255.5, 16: -1.0}},
    "at most 10 % are blank images (std < 2)": {"std": dict.fromkeys(range(20, 28), 1.5)},
}


def plant(samples: pd.DataFrame, *defects: str) -> pd.DataFrame:
    for name in defects:
        for column, values in DEFECTS[name].items():
            for row, value in values.items():
                samples.loc[row, column] = value
    return samples


@pytest.fixture(scope="module")
def good() -> Report:
    return check(good_samples(), NO_REJECTS, PARAMS)


@pytest.fixture(scope="module")
def bad() -> Report:
    return check(plant(good_samples(), *DEFECTS), some_rejects(10), PARAMS)


def test_columns_are_those_that_ingest_writes() -> None:
    assert tuple(COLUMN_TYPES) == SAMPLE_COLUMNS


def test_good_table_passes_every_expectation(good: Report) -> None:
    assert good.success
    assert {result.outcome for result in good.results} == {"passed"}
    assert good.summary == f"{len(good.results)} expectations passed"


def test_every_limit_of_the_params_is_enforced(good: Report) -> None:
    limits = {result.limit for result in good.results} - {None}
    # The level below which an image counts as blank is a part of the limit of blank images.
    assert limits == ValidateParams.model_fields.keys() - {"min_pixel_std"}


@pytest.mark.parametrize("dtypes", [{"width": "int64", "mean": "float64"}, {"label": object}])
def test_table_survives_parquet_and_wider_types(tmp_path: Path, dtypes: dict[str, Any]) -> None:
    samples = good_samples().astype(dtypes)
    samples["usage"] = None  # a source that declares no splits
    samples.to_parquet(tmp_path / "samples.parquet")
    report = check(pd.read_parquet(tmp_path / "samples.parquet"), NO_REJECTS, PARAMS)
    assert {result.outcome for result in report.results} == {"passed"}


def test_each_defect_fails_its_own_expectation_and_no_other(bad: Report) -> None:
    failed = {result.what for result in (*bad.errors, *bad.warnings)}
    assert failed == {*DEFECTS, "at most 10 % of files could not be used"}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("label is never empty", "1 of 70 fail (1.43 %), e.g. angry/00.png (label empty)."),
        ("source is never empty", "1 of 70 fail (1.43 %), e.g. row 1 (source empty)."),
        ("mean is never empty", "1 of 70 fail (1.43 %), e.g. fear/02.png (mean empty)."),
        ("sample_id is 16 hexadecimal digits", "1 of 70 fail (1.43 %), e.g. happy/03.png (sample_id 3)."),
        (
            "sha256 is 64 hexadecimal digits",
            f"1 of 70 fail (1.43 %), e.g. sad/04.png (sha256 {'A' * 59}…).",
        ),
        (
            "sample_id is unique",
            "2 of 70 fail (2.86 %), e.g. neutral/06.png (same sample_id as surprise/05.png).",
        ),
        ("source is unique", "2 of 69 fail (2.9 %), e.g. angry/07.png (same source as angry/07.png)."),
        ("label is one of the seven emotions", "1 of 69 fail (1.45 %), e.g. fear/09.png (label bored)."),
        (
            "usage is train, val, test or undeclared",
            "1 of 70 fail (1.43 %), e.g. happy/10.png (usage PublicTest).",
        ),
        (
            "no two images have the same pixels",
            "3 of 70 fail (4.29 %), e.g. surprise/12.png (same sha256 as sad/11.png), "
            "sad/60.png (same sha256 as sad/11.png).",
        ),
        ("width is at least 32 pixels", "1 of 70 fail (1.43 %), e.g. neutral/13.png (width 31)."),
        ("height is at least 32 pixels", "1 of 70 fail (1.43 %), e.g. angry/14.png (height 31)."),
        (
            "mean is between 0 and 255 gray levels",
            "2 of 69 fail (2.9 %), e.g. disgust/15.png (mean 255.5), fear/16.png (mean -1).",
        ),
        (
            "at most 10 % are blank images (std < 2)",
            "8 of 70 fail (11.4 %), e.g. neutral/20.png (std 1.5), angry/21.png (std 1.5), "
            "disgust/22.png (std 1.5).",
        ),
        (
            "at most 10 % of files could not be used",
            "10 of 80 fail (12.5 %), e.g. bad/0.png (reason it is cut short), "
            "bad/1.png (reason it is cut short), bad/2.png (reason it is cut short).",
        ),
    ],
)
def test_failure_says_what_how_many_which_and_what_to_do(bad: Report, what: str, message: str) -> None:
    (result,) = [item for item in bad.results if item.what == what]
    word = "warning" if result.severity == "warning" else "failed"
    assert result.line == f"{word}: {what}: {message} {result.remedy}"


def test_what_is_tolerated_passes_and_is_counted() -> None:
    samples = plant(good_samples(), "no two images have the same pixels")
    samples.loc[:6, "std"] = 0.0
    report = check(samples, some_rejects(7), PARAMS)
    assert report.success
    assert [result.what for result in report.warnings] == ["no two images have the same pixels"]
    assert report.summary == f"{len(report.results) - 1} expectations passed, 1 warning"
    found = {result.limit: result.observation for result in report.results}
    assert found["max_blank_fraction"] == "7 of 70 fail (10 %)"
    assert found["max_reject_fraction"] == "7 of 77 fail (9.09 %)"


def test_rare_class_and_small_table_are_named_with_their_count() -> None:
    samples = good_samples()
    samples = samples.drop(samples.index[samples["label"] == "fear"][:2])
    report = check(samples, NO_REJECTS, PARAMS)
    table, fear = report.errors
    assert table.line.startswith("failed: there are at least 70 samples: found 68. Check that ")
    assert fear.line.startswith("failed: there are at least 9 samples of fear: found 8. Add images of fear")
    assert (fear.limit, fear.threshold) == ("min_samples_per_label", 9)


def test_empty_table_fails_for_its_size_and_is_not_an_exception() -> None:
    report = check(good_samples().iloc[:0], NO_REJECTS, PARAMS)
    assert {result.limit for result in report.errors} == {"min_samples", "min_samples_per_label"}


def test_missing_column_fails_the_schema_and_skips_what_needs_it() -> None:
    report = check(good_samples().drop(columns="label"), NO_REJECTS, PARAMS)
    (result,) = report.errors
    assert result.what.startswith("the columns are sample_id, label,")
    assert "found sample_id, source, usage" in result.line
    skipped = [item for item in report.results if item.outcome == "skipped"]
    assert {item.column for item in skipped} == {"label"}
    assert len(skipped) == 3 + len(EMOTIONS)
    assert report.summary.endswith(f"passed, 1 failed, {len(skipped)} not checked")


def test_missing_source_and_another_order_of_columns() -> None:
    samples = plant(good_samples(), "width is at least 32 pixels")
    report = check(samples[["std", *COLUMN_TYPES][:-1]].drop(columns="source"), NO_REJECTS, PARAMS)
    assert [result.line.split(":")[1] for result in report.errors] == [
        f" the columns are {', '.join(COLUMN_TYPES)}",
        " width is at least 32 pixels",
    ]
    assert "row 13 (width 31)" in report.errors[1].line


def test_wrong_types_fail_their_own_expectation_and_skip_the_content() -> None:
    samples = good_samples().astype({"width": "float64", "std": "str", "label": "category"})
    samples["sample_id"] = samples["sample_id"].map(str.encode)
    report = check(samples, NO_REJECTS, PARAMS)
    assert [result.line.split(", e.g.")[0].split(". ")[0] for result in report.errors] == [
        "failed: sample_id holds str: 70 of 70 fail (100 %)",
        "failed: label holds str: found CategoricalDtypeType",
        "failed: width holds int32 or int64: found float64",
        "failed: std holds float32 or float64: 70 of 70 fail (100 %)",
    ]
    skipped = {item.column for item in report.results if item.outcome == "skipped"}
    assert skipped == {"sample_id", "label", "width", "std"}


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        (gxe.ExpectColumnValuesToBeBetween(column="breadth", min_value=1), 'The column "breadth"'),
        (gxe.ExpectColumnValuesToBeBetween(column="label", min_value=1), "of the same type"),
        (gxe.UnexpectedRowsExpectation(unexpected_rows_query="SELECT * FROM {batch}"), "No provider found"),
    ],
)
def test_expectation_that_raises_is_an_error_and_not_a_failure(expectation: Any, message: str) -> None:
    with pytest.raises(FerflowError) as caught:
        evaluate([Check("all is well", expectation, "Nothing.")], good_samples(), PARAMS)
    assert str(caught.value).startswith("the expectation 'all is well' could not be evaluated (")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_results_have_the_order_of_the_checks() -> None:
    checks = [
        Check(name, gxe.ExpectColumnValuesToNotBeNull(column=column), "Nothing.")
        for name, column in (("c", "std"), ("a", "width"), ("b", "label"))
    ]
    assert [item.what for item in evaluate(checks, good_samples(), PARAMS)] == ["c", "a", "b"]


def test_report_depends_on_nothing_but_the_values(bad: Report) -> None:
    samples = plant(good_samples(), *DEFECTS)
    samples.index = pd.Index(range(100, 30, -1))
    before = samples.copy()
    again = check(samples, some_rejects(10), PARAMS)
    assert again == bad
    assert json.dumps(again.as_json()) == json.dumps(bad.as_json())
    pd.testing.assert_frame_equal(samples, before)


def test_stage_writes_the_report_and_stops_the_pipeline(tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    samples = plant(
        good_samples(per_label=30), "width is at least 32 pixels", "no two images have the same pixels"
    )
    samples.to_parquet(tmp_path / "samples.parquet")
    NO_REJECTS.to_csv(tmp_path / "rejects.csv", index=False)
    stage = [sys.executable, str(ROOT / "stages/validate.py"), "--samples", "samples.parquet"]
    done = subprocess.run(
        [*stage, "--rejects", "rejects.csv", "--out", "reports/validation"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["failed", "warning", "error"]
    assert "neutral/13.png (width 31)" in lines[0]
    assert "reports/validation/index.html" in lines[2]
    assert {path.name for path in (tmp_path / "reports/validation").iterdir()} == {
        "expectations.csv",
        "index.html",
        "report.json",
    }
    report = json.loads((tmp_path / "reports/validation/report.json").read_text())
    assert report["success"] is False
    (failed,) = [r for r in report["results"] if r["outcome"] == "failed" and r["severity"] == "error"]
    assert failed["finding"]["offenders"] == [{"source": "neutral/13.png", "found": "width 31"}]
