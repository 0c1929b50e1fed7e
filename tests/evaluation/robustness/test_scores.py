from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binomtest

from ferflow.errors import FerflowError
from ferflow.evaluation.robustness import scores
from ferflow.evaluation.robustness.corruptions import CORRUPTIONS
from ferflow.evaluation.robustness.matrix import matrix
from ferflow.files import write_csv

from .tables import robustness_table


def test_corrupted_accuracy_is_the_mean_over_corruptions_of_means_over_severities() -> None:
    table = robustness_table(severities=(1, 5), clean=0.8, lost=0.1)
    # 0.8 - 0.1 * 3 - 0.01 * 4.5
    assert scores.corrupted_accuracy(table) == pytest.approx(0.455)
    assert scores.accuracy_by_corruption(table)["blur"] == pytest.approx(0.49)
    assert scores.clean_accuracy(table) == 0.8
    assert scores.retained_accuracy(table) == pytest.approx(0.455 / 0.8)
    shuffled = table.sample(frac=1, random_state=0)
    assert scores.corrupted_accuracy(shuffled) == pytest.approx(0.455)


def test_nothing_can_be_kept_of_nothing() -> None:
    assert scores.retained_accuracy(robustness_table(clean=0.0)) is None


@pytest.mark.parametrize(("right", "samples"), [(0, 7), (7, 7), (23, 56), (1, 700), (470, 700)])
def test_intervals_are_wilsons(right: int, samples: int) -> None:
    expected = binomtest(right, samples).proportion_ci(method="wilson")
    assert scores.accuracy_interval(right / samples, samples) == pytest.approx(
        (expected.low, expected.high), abs=1e-6
    )


def broken(problem: str) -> tuple[pd.DataFrame, str]:
    """A table with something wrong, and a part of what is said of it."""
    table = robustness_table()
    of_five = table["severity"] == 5
    return {
        "no macro-F1": (table.drop(columns="macro_f1"), "missing column(s) macro_f1"),
        "no last row": (table.iloc[:-1], "not every corruption is there at the same severities"),
        "no clean images": (table.iloc[1:], "not every corruption is there"),
        "no damage": (table.iloc[:1], "not every corruption is there"),
        "severity 6": (table.replace({"severity": {5: 6}}), "at the same severities (1 to 5)"),
        "a row twice": (pd.concat([table, table.iloc[3:4]]), "stand twice"),
        "other samples": (table.assign(samples=range(1, len(table) + 1)), "are of different samples"),
        "more than all": (table.assign(accuracy=table["accuracy"] + 0.5), "is not between 0 and 1"),
        "a gap": (table.assign(accuracy=table["accuracy"].mask(of_five)), "a number is missing"),
        "words": (table.assign(severity="some"), "a number is missing"),
    }[problem]


@pytest.mark.parametrize(
    "problem",
    [
        "no macro-F1",
        "no last row",
        "no clean images",
        "no damage",
        "severity 6",
        "a row twice",
        "other samples",
        "more than all",
        "a gap",
        "words",
    ],
)
def test_a_file_that_is_not_of_a_probe_is_refused(problem: str, tmp_path: Path) -> None:
    table, words = broken(problem)
    path = tmp_path / "robustness.csv"
    write_csv(path, table)
    with pytest.raises(FerflowError, match=re.escape(words)) as error:
        scores.read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match="is missing: run `dvc repro`"):
        scores.read(tmp_path / "robustness.csv")


def test_models_compare_where_they_were_asked_the_same() -> None:
    tables = {"b": robustness_table(clean=0.5, lost=0.1), "a": robustness_table(clean=0.9, lost=0.1)}
    table = matrix(tables)
    assert list(table["model"]) == ["b", "a"]
    assert list(table.columns) == ["model", "clean", *CORRUPTIONS, "mean"]
    assert table["mean"].tolist() == [scores.corrupted_accuracy(of_model) for of_model in tables.values()]


@pytest.mark.parametrize("other", [robustness_table(samples=41), robustness_table(severities=(1, 3))])
def test_models_that_were_asked_differently_are_not_compared(other: pd.DataFrame) -> None:
    with pytest.raises(FerflowError, match=r"different images or severities \(a 40 at \[1, 3, 5\]; b 4"):
        matrix({"a": robustness_table(), "b": other})
