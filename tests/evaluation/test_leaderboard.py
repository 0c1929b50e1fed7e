from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ferflow.errors import FerflowError
from ferflow.evaluation import leaderboard
from ferflow.evaluation.leaderboard_figure import leaderboard_figure
from ferflow.evaluation.robustness.scores import corrupted_accuracy
from ferflow.files import read_json, read_table, write_csv, write_json
from ferflow.labels import EMOTIONS
from ferflow.params import EvaluateParams

from .invented import MODEL
from .robustness.tables import robustness_table

ROOT = Path(__file__).parents[2]


def write_report(
    folder: Path,
    name: str,
    *,
    val: float = 0.6,
    test: float = 0.5,
    parameters: int = 1000,
    flip: bool = False,
    flops: int | None = 118_000_000,
    happy: int = 100,
) -> None:
    """Write what the leaderboard reads of a model, measured on 400 test samples, `happy` of one emotion."""

    def split(value: float, samples: int) -> dict[str, float | int]:
        ends = {
            f"{metric}{end}": score + by
            for metric, score in (("macro_f1", value), ("accuracy", value + 0.05))
            for end, by in (("", 0), ("_low", -0.04), ("_high", 0.03))
        }
        return {**ends, "log_loss": 1.2, "calibration_error": 0.031, "samples": samples}

    views = EvaluateParams(horizontal_flip=flip, shift=0)
    about = {"model": name, "parameters": parameters, "evaluate": views, "flops": flops}
    write_json(folder / name / "metrics.json", {"val": split(val, 300), "test": split(test, 400)})
    write_json(folder / name / "model.json", MODEL.model_copy(update=about).model_dump())
    others = [("test", emotion, (400 - happy) / 6) for emotion in EMOTIONS if emotion != "happy"]
    support = [("val", "sad", 300), ("test", "happy", happy), *others]
    write_csv(folder / name / "per_class.csv", pd.DataFrame(support, columns=["split", "label", "support"]))
    write_csv(folder / name / "robustness.csv", robustness_table(clean=test + 0.05))


def ranking(folder: Path, *names: str) -> pd.DataFrame:
    return leaderboard.rank(read(folder, *names))


def read(folder: Path, *names: str) -> pd.DataFrame:
    return leaderboard.read({name: folder / name for name in names})


def test_models_are_ranked_by_validation_whatever_the_test_split_says(tmp_path: Path) -> None:
    write_report(tmp_path, "low", val=0.5, test=0.9)
    write_report(tmp_path, "high", val=0.7, test=0.1)
    ranked = ranking(tmp_path, "low", "high")
    assert list(ranked["model"]) == ["high", "low"]
    assert list(ranked["rank"]) == [1, 2]


def test_equals_are_ranked_by_parameters_then_by_name(tmp_path: Path) -> None:
    sizes = {"b_small": 10, "a_large": 20, "a_small": 10}
    for name, parameters in sizes.items():
        write_report(tmp_path, name, parameters=parameters)
    ranked = ranking(tmp_path, *sizes)
    assert list(ranked["model"]) == ["a_small", "b_small", "a_large"]


def test_a_score_by_cross_fitting_is_said_to_be_one(tmp_path: Path) -> None:
    write_report(tmp_path, "single")
    write_report(tmp_path, "vote", val=0.7)
    assert "cross-fitting" not in leaderboard.as_markdown(ranking(tmp_path, "single", "vote"))
    path = tmp_path / "vote" / "model.json"
    write_json(path, read_json(path) | {"members": {"single": 1.0}, "cross_fitted": True})
    assert "validation score of vote is by cross-fitting" in leaderboard.as_markdown(
        ranking(tmp_path, "single", "vote")
    )


def test_names_may_come_in_any_order(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        write_report(tmp_path, name)
    pd.testing.assert_frame_equal(
        ranking(tmp_path, "one", "two", "three"), ranking(tmp_path, "three", "two", "one")
    )


def test_a_row_has_the_scores_with_their_intervals_and_costs(tmp_path: Path) -> None:
    write_report(tmp_path, "cnn4", test=0.45)
    row = ranking(tmp_path, "cnn4").iloc[0]
    expected = {
        "test_accuracy": 0.5,
        "test_accuracy_low": 0.46,
        "test_accuracy_high": 0.53,
        "test_macro_f1_low": 0.41,
        "test_macro_f1_high": 0.48,
        "test_calibration_error": 0.031,
        "test_majority_share": 0.25,
        "flops": 118_000_000,
        "corrupted_accuracy": round(corrupted_accuracy(robustness_table(clean=0.5)), 6),
        "corrupted_samples": 40,
        "corrupted_clean_accuracy": 0.5,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_the_accuracy_stands_with_its_interval(tmp_path: Path) -> None:
    write_report(tmp_path, "cnn4", test=0.45)
    for shown in (leaderboard.as_markdown, leaderboard.as_text):
        assert "50.0% (46.0–53.0)" in shown(ranking(tmp_path, "cnn4"))


@pytest.mark.parametrize(
    ("happy", "near_chance"),
    [(183, False), (184, True), (200, True), (390, True)],  # of 400; the accuracy's interval begins at 0.46
)
def test_near_chance_is_who_is_not_shown_to_beat_a_constant_answer(
    tmp_path: Path, happy: int, near_chance: bool
) -> None:
    write_report(tmp_path, "cnn4", test=0.45, happy=happy)
    table = ranking(tmp_path, "cnn4")
    assert table["near_chance"].tolist() == [near_chance]
    write_csv(tmp_path / "leaderboard.csv", table)
    assert (
        "WARNING: The champion cnn4 has learnt nothing that shows" in leaderboard.as_text(table)
    ) is near_chance
    # As `make repro` ends: from the file.
    assert leaderboard.as_text(read_table(tmp_path / "leaderboard.csv")) == leaderboard.as_text(table)


def test_a_champion_near_chance_is_warned_of_before_all_else(tmp_path: Path) -> None:
    write_report(tmp_path, "lost", test=0.25, val=0.3, happy=200)
    write_report(tmp_path, "able", test=0.60, val=0.2, happy=200)
    page = leaderboard.as_markdown(ranking(tmp_path, "lost", "able"))
    lines = page.splitlines()
    assert lines[2] == "> [!WARNING]"
    assert "its test accuracy of 30.0% (26.0–33.0) is not shown to be better than" in lines[3]
    assert "most frequent emotion (50.0% right). Do not use it." in lines[3]
    assert "**lost (champion, near chance)**" in page and "able (near chance)" not in page
    assert (
        "not shown to have learnt anything"
        in leaderboard_figure(ranking(tmp_path, "lost")).texts[1].get_text()
    )


def test_a_champion_that_has_learnt_is_not_warned_of_for_others(tmp_path: Path) -> None:
    write_report(tmp_path, "lost", test=0.25, val=0.3, happy=200)
    write_report(tmp_path, "able", test=0.60, val=0.5, happy=200)
    table = ranking(tmp_path, "lost", "able")
    assert "WARNING" not in leaderboard.as_markdown(table) + leaderboard.as_text(table)
    assert "lost (near chance)" in leaderboard.as_markdown(table)
    assert "lost !" in leaderboard.as_text(table)
    assert "! near chance: not shown to be better than" in leaderboard.as_text(table)


def test_flops_that_cannot_be_counted_are_a_dash(tmp_path: Path) -> None:
    write_report(tmp_path, "known", val=0.7)
    write_report(tmp_path, "unknown", flops=None)
    table = ranking(tmp_path, "known", "unknown")
    assert [line.split()[-1] for line in leaderboard.as_text(table).splitlines()[2:4]] == ["M", "–"]
    write_csv(tmp_path / "leaderboard.csv", table)
    assert ",118000000," in (tmp_path / "leaderboard.csv").read_text(encoding="utf-8")


def test_the_table_for_a_terminal_fits_in_a_hundred_columns(tmp_path: Path) -> None:
    names = ["attention_residual", "resnet50_two_phase", "inceptionv3_dropout"]
    for name in names:
        write_report(tmp_path, name, parameters=138_000_000, flops=15_400_000_000, test=0.95)
    longest = max(leaderboard.as_text(ranking(tmp_path, *names)).splitlines(), key=len)
    assert len(longest) <= 100


def test_the_page_marks_the_champion_and_says_how_it_is_chosen(tmp_path: Path) -> None:
    write_report(tmp_path, "other", val=0.5)
    write_report(tmp_path, "best", val=0.7)
    ranked = ranking(tmp_path, "other", "best")
    page = leaderboard.as_markdown(ranked)
    assert (
        "The champion is **best**: the highest macro-F1 on the validation split (0.700, 300 samples)" in page
    )
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert ["champion" in row for row in rows] == [False, False, True, False]
    assert len({row.count("|") for row in rows}) == 1
    assert [line.split()[1:3] for line in leaderboard.as_text(ranked).splitlines()[2:4]] == [
        ["best", "*"],
        ["other", "0.500"],
    ]


@pytest.mark.parametrize("name", ["metrics.json", "model.json", "per_class.csv", "robustness.csv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_report(tmp_path, "cnn4")
    (tmp_path / "cnn4" / name).unlink()
    with pytest.raises(FerflowError, match=rf"cnn4/{name} is missing: run `dvc repro`"):
        read(tmp_path, "cnn4")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics.json", {"val": {}, "test": {}}, r"metrics\.json: val\.macro_f1 is missing or not a number"),
        (
            "metrics.json",
            {
                "val": dict.fromkeys(["macro_f1", "accuracy", "log_loss", "samples"], 1),
                "test": {"macro_f1": 0.5},
            },
            r"test\.macro_f1_low is missing or not a number",
        ),
        ("metrics.json", [], r"val\.macro_f1 is missing or not a number"),
        ("metrics.json", {"val": {"macro_f1": "0.5"}}, r"val\.macro_f1 is missing or not a number"),
        ("model.json", {"model": "cnn4"}, r"model\.json is not complete \(architecture, parameters,"),
        ("model.json", [], r"model\.json is not complete"),
        ("model.json", MODEL.model_dump() | {"model": "vgg"}, r"model\.json is of the model vgg"),
    ],
)
def test_a_file_that_is_not_complete_is_named(tmp_path: Path, name: str, content: Any, message: str) -> None:
    write_report(tmp_path, "cnn4")
    write_json(tmp_path / "cnn4" / name, content)
    with pytest.raises(FerflowError, match=message):
        read(tmp_path, "cnn4")


@pytest.mark.parametrize(
    "content", ["split,support\nval,300\n", "split,support\ntest,\n", "split,support\ntest,0\n"]
)
def test_class_counts_without_test_are_an_error(tmp_path: Path, content: str) -> None:
    write_report(tmp_path, "cnn4")
    (tmp_path / "cnn4" / "per_class.csv").write_text(content, encoding="utf-8")
    with pytest.raises(FerflowError, match=r"cnn4/per_class\.csv: there is no sample of test in it"):
        read(tmp_path, "cnn4")


def test_models_that_were_damaged_in_other_ways_are_not_compared(tmp_path: Path) -> None:
    write_report(tmp_path, "old")
    write_report(tmp_path, "new")
    write_csv(tmp_path / "old" / "robustness.csv", robustness_table(severities=(2, 4)))
    with pytest.raises(FerflowError, match="asked about different images or severities"):
        read(tmp_path, "old", "new")


def test_models_that_were_measured_on_different_samples_are_not_compared(tmp_path: Path) -> None:
    write_report(tmp_path, "old")
    write_report(tmp_path, "new")
    metrics = read_json(tmp_path / "old" / "metrics.json")
    metrics["test"]["samples"] = 399
    write_json(tmp_path / "old" / "metrics.json", metrics)
    with pytest.raises(FerflowError, match=r"different test samples \(old 399, new 400\)"):
        read(tmp_path, "old", "new")


def test_models_that_saw_other_views_are_not_compared(tmp_path: Path) -> None:
    write_report(tmp_path, "old")
    write_report(tmp_path, "new", flip=True)
    with pytest.raises(FerflowError, match=r"different views of an image \(old 1, new 2\)"):
        read(tmp_path, "old", "new")


def test_the_page_says_over_how_many_views_all_probabilities_are_the_mean(tmp_path: Path) -> None:
    write_report(tmp_path, "one")
    write_report(tmp_path, "two", flip=True)
    one, two = (ranking(tmp_path, name) for name in ("one", "two"))
    assert "views" not in leaderboard.as_markdown(one)
    assert "the mean over 2 views of an image" in leaderboard.as_markdown(two)


def test_a_report_from_before_there_were_views_is_of_one_view(tmp_path: Path) -> None:
    write_report(tmp_path, "old")
    path = tmp_path / "old" / "model.json"
    content = read_json(path)
    del content["evaluate"], content["views"]
    write_json(path, content)
    assert read(tmp_path, "old")["views"].tolist() == [1]
