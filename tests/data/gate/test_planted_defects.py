"""Each kind of defect, put into data that pass: what stops it, and what is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ferflow.data.gate.report import Report
from ferflow.data.gate.results import Severity
from ferflow.labels import EMOTIONS
from ferflow.params import Limit

from .gate_data import LIMITS, SIZE, Data, good_data, rejects

INGEST = "Run dvc repro -f ingest; if it stays, it is a defect of ferflow: report it."
SPLIT = "Run dvc repro -f split; if it stays, it is a defect of ferflow: report it."


@pytest.fixture(scope="module")
def good() -> Report:
    return good_data().judge()


def no_disgust_in_val(data: Data) -> None:
    data.keep(~((data.samples["label"] == "disgust") & (data.samples["usage"] == "val")).to_numpy())


def leaked_and_kept(data: Data) -> None:
    data.copy("train/sad/07.png", source="test/sad/59.png")
    data.duplicates = "keep"


def shuffled(data: Data) -> None:
    random = np.random.default_rng(5)
    for _, rows in data.samples.groupby("usage"):
        data.samples.loc[rows.index, "label"] = random.permutation(rows["label"].to_numpy())


def shuffled_with_copies_in_few_images(data: Data) -> None:
    for label in EMOTIONS[:4]:
        for number in (0, 2, 4):
            data.copy(f"train/{label}/{number + 1:02}.png", source=f"train/{label}/{number:02}.png")
    data.duplicates = "keep"
    names = data.samples["source"].str
    data.keep((~names.startswith("train") | names.contains("/[0-2]")).to_numpy(dtype=bool))
    shuffled(data)


def all_blank(data: Data) -> None:
    for row in range(len(data.images)):
        # Each of its own gray level, so that they are no copies of each other.
        image = np.full((SIZE, SIZE, 1), 100, np.uint8)
        image.ravel()[:10] += np.array(list(np.binary_repr(row, 10)), dtype=np.uint8)
        data.draw(row, image)


def all_row_defects(data: Data) -> None:
    """Those of single rows, each in rows of its own."""
    data.splits = data.split()
    samples, splits = data.samples, data.splits
    samples.loc[1, "label"] = None
    samples.loc[2, "label"] = "bored"
    samples.loc[4, "source"] = "train/angry/03.png"
    samples.loc[5, "sample_id"] = splits.loc[5, "sample_id"] = "4"
    samples.loc[6, "usage"] = "PublicTest"
    samples.loc[7, "mean"] = 256.0
    splits.loc[8, "split"] = "holdout"
    splits.loc[9, "split"] = None
    samples.loc[10:15, "width"] = 20
    data.images[16] = data.images[17]
    data.rejects = rejects(unusable=22, on_purpose=300)


def repeated_id(data: Data) -> None:
    data.samples.loc[4, "sample_id"] = data.samples["sample_id"][2]


def splits_of_other_samples(data: Data) -> None:
    data.splits = data.split()[::-1].reset_index(drop=True)


def fewer_splits(data: Data) -> None:
    data.splits = data.split()[:-1]


def one_image_less(data: Data) -> None:
    data.images = data.images[:-1]


def images_of_another_size(data: Data) -> None:
    data.images = data.images[:, 2:]
    for row, image in enumerate(data.images):
        data.draw(row, image)


def few_samples(data: Data) -> None:
    data.keep(~data.samples["source"].str.contains("/[0-2]").to_numpy(dtype=bool))
    data.keep(np.arange(len(data.images)) % 5 > 0)


def brighter_test(data: Data) -> None:
    for row in np.flatnonzero(data.samples["usage"] == "test").tolist():
        data.draw(row, data.images[row] // 2 + 100)


def rare_class(data: Data) -> None:
    data.keep(~data.samples["source"].str.contains("train/fear/(?:0[4-9]|[1-4])").to_numpy(dtype=bool))


def copies_in_train(data: Data) -> None:
    for number in range(5):
        data.copy(f"train/sad/{number + 10}.png", source="train/sad/00.png")


#: What is not as it should be in one row or some, and what is said of it.
ROW_DEFECTS = {
    "label is never empty": f"1 of 420 fail (0.238 %), e.g. train/angry/01.png (label empty). {INGEST}",
    "label is one of the seven emotions": (
        f"1 of 419 fail (0.239 %), e.g. train/angry/02.png (label bored). {INGEST}"
    ),
    "source is unique": (
        "2 of 420 fail (0.476 %), e.g. train/angry/03.png (same source as train/angry/03.png). " + INGEST
    ),
    "sample_id is 16 hexadecimal digits": (
        f"1 of 420 fail (0.238 %), e.g. train/angry/05.png (sample_id 4). {INGEST}"
    ),
    "usage is train, val, test or undeclared": (
        f"1 of 420 fail (0.238 %), e.g. train/angry/06.png (usage PublicTest). {INGEST}"
    ),
    "mean is between 0 and 255 gray levels": (
        f"1 of 420 fail (0.238 %), e.g. train/angry/07.png (mean 256). {INGEST}"
    ),
    "split is train, val, test or none": (
        f"1 of 419 fail (0.239 %), e.g. train/angry/08.png (split holdout). {SPLIT}"
    ),
    "a sample in no split has a reason": (
        f"1 of 420 fail (0.238 %), e.g. train/angry/09.png (neither split nor reason). {SPLIT}"
    ),
    "at most 1 % of images are under 32 pixels": (
        "6 of 420 fail (1.43 %), e.g. train/angry/10.png (20 pixels), train/angry/11.png (20 pixels), "
        "train/angry/12.png (20 pixels). Remove these images, or fetch the data set in its original size."
    ),
    "images.npy holds the pixels that samples.parquet describes": (
        "1 of 418 fail (0.239 %), e.g. train/angry/16.png (its pixels have sha256 "
    ),
    "at most 4 % of files could not be used": (
        "22 of 442 fail (4.98 %), e.g. raw/00.png (it is cut short), raw/01.png (it is cut short), "
        "raw/02.png (it is cut short). rejects.csv, beside samples.parquet, has a remedy for each of them."
    ),
}

#: Defects that concern more: the severity, what is not as it should be, and what is said of it.
DEFECTS: dict[Callable[[Data], None], tuple[Severity, str, str]] = {
    no_disgust_in_val: (
        "error",
        "each emotion has at least 4 samples in each split",
        "1 of 21 fail (4.76 %), e.g. disgust in val (0 samples). Add images of them (a folder may be "
        "missing), hold more of them out where the splits are carved (split.val_fraction, "
        "split.test_fraction), or lower validate.min_samples_per_label.",
    ),
    leaked_and_kept: (
        "error",
        "at most 0 images of val and test are in another split as well",
        "1 of 112 fail (0.893 %), e.g. test/sad/59.png (same pixels as train/sad/07.png in train). They "
        "flatter the scores: set split.duplicates to clean in params.yaml, which leaves them out.",
    ),
    shuffled: (
        "error",
        "labels fit images in train (standard errors, at least 3)",
        "found -1.",
    ),
    shuffled_with_copies_in_few_images: (
        "error",
        "at most 25 % of images with copies have two labels",
        "11 of 12 fail (91.7 %), e.g. train/angry/00.png (",
    ),
    all_blank: (
        "error",
        "at most 1 % of images are blank (std < 2)",
        "420 of 420 fail (100 %), e.g. train/angry/00.png (std 0), train/angry/01.png (std 0.",
    ),
    repeated_id: (
        "error",
        "sample_id is unique",
        "2 of 420 fail (0.476 %), e.g. train/angry/04.png (same sample_id as train/angry/02.png). " + INGEST,
    ),
    splits_of_other_samples: (
        "error",
        "splits.parquet has the samples in their order (number that are elsewhere)",
        f"found 420. {SPLIT}",
    ),
    fewer_splits: (
        "error",
        "splits.parquet has the samples in their order (number that are elsewhere)",
        f"found 420. {SPLIT}",
    ),
    one_image_less: ("error", "images.npy has 420 images, as samples.parquet", f"found 419. {INGEST}"),
    images_of_another_size: (
        "error",
        "images.npy has images of 24×24×1",
        f"1 of 1 fail (100 %), e.g. images.npy (22×24×1). {INGEST}",
    ),
    few_samples: (
        "error",
        "at least 200 samples are in a split",
        "found 168. Check that the data set is complete.",
    ),
    brighter_test: (
        "warning",
        "test is as bright as train (standard deviations, at most 0.5)",
        "found 2.919. Check that both come from one source and were prepared in one way.",
    ),
    rare_class: (
        "warning",
        "no class of train is over 10 times as large as another",
        "found 11. Add images of the rare emotions, and judge models by their macro-F1.",
    ),
    copies_in_train: (
        "warning",
        "at most 1 % of samples repeat another one's pixels",
        "5 of 420 fail (1.19 %), e.g. train/sad/10.png (copy of train/sad/00.png), train/sad/11.png (copy of "
        "train/sad/00.png), train/sad/12.png (copy of train/sad/00.png). Keep one of each: what is there "
        "twice weighs double.",
    ),
}


def test_good_data_pass_every_expectation(good: Report) -> None:
    assert good.success
    assert {result.outcome for result in good.results} == {"passed", "skipped"}
    # Val and test are too small for a verdict on their labels.
    skipped = [result.column for result in good.results if result.outcome == "skipped"]
    assert skipped == ["signal_val", "signal_test"]


@pytest.fixture(scope="module")
def bad_rows() -> Report:
    data = good_data()
    all_row_defects(data)
    return data.judge()


def test_defects_of_rows_fail_their_own_expectations_and_no_other(bad_rows: Report) -> None:
    assert {result.what for result in bad_rows.errors} == set(ROW_DEFECTS)
    assert bad_rows.warnings == ()


@pytest.mark.parametrize("what", ROW_DEFECTS)
def test_a_failure_says_what_how_many_which_and_what_to_do(bad_rows: Report, what: str) -> None:
    (result,) = [item for item in bad_rows.errors if item.what == what]
    assert result.line.startswith(f"failed: {what}: {ROW_DEFECTS[what]}")
    assert result.line.endswith(result.remedy)


@pytest.mark.parametrize("plant", DEFECTS, ids=lambda plant: plant.__name__)
def test_a_defect_is_stopped_by_its_own_expectation_alone(plant: Callable[[Data], None]) -> None:
    severity, what, message = DEFECTS[plant]
    data = good_data()
    plant(data)
    report = data.judge()
    found = report.errors if severity == "error" else report.warnings
    assert [result.what for result in found] == [what]
    word = "failed" if severity == "error" else "warning"
    assert found[0].line.startswith(f"{word}: {what}: {message}")
    assert found[0].line.endswith(found[0].remedy)
    assert report.success is (severity == "warning")


def test_every_limit_has_a_defect_that_exceeds_it(good: Report) -> None:
    limits = {result.what: result.limit for result in good.results}
    exceeded = {limits.get(what) for what in (*ROW_DEFECTS, *(what for _, what, _ in DEFECTS.values()))}
    assert exceeded - {None} == {name for name, value in LIMITS if isinstance(value, Limit)}


def test_a_leak_is_no_leak_once_the_splits_are_clean() -> None:
    data = good_data()
    leaked_and_kept(data)
    data.duplicates = "clean"
    report = data.judge()
    assert report.errors == ()
    assert report.left_out == {"copy of a test image": 1}


def test_a_leak_from_val_names_the_test_image_and_counts_both() -> None:
    data = good_data()
    data.copy("val/sad/45.png", source="test/sad/59.png")
    data.duplicates = "keep"
    (result,) = data.judge().errors
    assert "2 of 112 fail" in result.line
    assert "val/sad/45.png (same pixels as test/sad/59.png in test)" in result.line
    assert "test/sad/59.png (same pixels as val/sad/45.png in val)" in result.line


@pytest.mark.parametrize(("contradictory", "stops"), [(3, False), (4, True)])
def test_a_few_contradictions_may_be_chance(contradictory: int, stops: bool) -> None:
    data = good_data()
    for number in range(contradictory):
        data.copy(f"train/sad/{number + 10}.png", source=f"train/happy/{number + 10}.png")
    (*results,) = [result for result in data.judge().results if result.table == "groups"]
    (result,) = results
    assert result.observation == f"{contradictory} of {contradictory} fail (100 %)"
    assert result.outcome == ("failed" if stops else "passed")
    assert result.finding is not None
    first = result.finding.offenders[0]
    assert str(first) == "train/happy/10.png (happy, but sad as train/sad/10.png)"


def test_a_handful_of_images_may_be_brighter_by_chance() -> None:
    data = good_data()
    few = [data.row(f"test/{label}/59.png") for label in EMOTIONS[:2]]
    for row in few:
        data.draw(row, data.images[row] // 2 + 60)
    data.keep((data.samples["usage"] != "test").to_numpy(dtype=bool) | np.isin(np.arange(420), few))
    report = data.judge()
    assert [result.limit for result in report.results if result.outcome == "failed"] == [
        "min_samples_per_label"
    ]


def test_severity_comes_from_the_params() -> None:
    data = good_data()
    brighter_test(data)
    limits = LIMITS.model_copy(update={"max_brightness_drift": LIMITS.max_leaked_samples})
    assert DEFECTS[brighter_test][0] == LIMITS.max_brightness_drift.severity == "warning"
    assert {result.limit for result in data.judge(limits).errors} == {"max_brightness_drift"}


def test_what_is_tolerated_passes_and_is_counted() -> None:
    data = good_data()
    data.rejects = rejects(unusable=17, on_purpose=5)
    data.samples.loc[:3, "std"] = 0.0
    report = data.judge()
    assert report.success
    found = {result.limit: result.observation for result in report.results}
    assert found["max_blank_fraction"] == "4 of 420 fail (0.952 %)"
    assert found["max_reject_fraction"] == "17 of 437 fail (3.89 %)"
    assert (report.rejects, report.set_aside) == (17, {"left out by layout.drop": 5})


def test_a_train_split_of_one_brightness_has_no_drift_to_speak_of() -> None:
    data = good_data()
    data.samples.loc[data.samples["usage"] == "train", "mean"] = np.float32(120.0)
    found = {result.limit: result.outcome for result in data.judge().results}
    assert found["max_brightness_drift"] == "skipped"


def test_a_name_with_control_characters_stays_on_one_line() -> None:
    data = good_data()
    data.samples.loc[0, "source"] = "a\nb\x1b[31m.png"
    data.samples.loc[0, "width"] = 3
    limits = LIMITS.model_copy(update={"max_small_fraction": LIMITS.max_leaked_samples})
    (failed,) = data.judge(limits).errors
    assert "a\\nb\\x1b[31m.png" in failed.line
    assert failed.line.isprintable()
