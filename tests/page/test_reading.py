from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ferflow.errors import FerflowError
from ferflow.files import read_json, read_table, write_csv, write_json
from ferflow.labels import EMOTIONS
from ferflow.page.inputs import Inputs
from ferflow.page.pictures import read_picture
from ferflow.page.reading import read_inputs

from .conftest import read
from .invented_reports import SKILLS, Reports, draw

OPTIONAL = {
    "history.csv": "history",
    "top_confusions.csv": "top_confusions",
    "calibration.csv": "calibration",
    "precision_recall.csv": "precision_recall",
    "robustness.csv": "robustness",
    "architecture.txt": "architecture",
    "architecture.png": "architecture_picture",
    "faces/errors.png": "errors",
}


def change(path: Path, **values: Any) -> None:
    write_json(path, read_json(path) | values)


def test_models_are_in_the_order_of_the_leaderboard_whatever_that_of_params(reports: Reports) -> None:
    board = reports.reports / "leaderboard.csv"
    write_csv(board, read_table(board).iloc[::-1])
    found = read_inputs(
        reports.reports,
        {name: reports.of(name) for name in sorted(SKILLS, reverse=True)},
        data_report=reports.data_report,
        validation=reports.validation,
    )
    assert [model.name for model in found.models] == list(SKILLS)
    assert found.champion.name == "attention_residual"


def test_confusions_are_counted_with_actual_emotions_as_rows(reports: Reports) -> None:
    pairs = pd.DataFrame({"actual": ["fear", "fear", "sad"], "predicted": ["surprise", "fear", "sad"]})
    write_csv(reports.of("cnn4") / "confusion.csv", pairs)
    counts = read(reports).models[1].confusion
    assert counts.loc["fear", "surprise"] == 1
    assert counts.loc["surprise", "fear"] == 0
    assert list(counts.index) == list(counts.columns) == list(EMOTIONS)
    assert counts.to_numpy().sum() == 3


@pytest.mark.parametrize(("file", "attribute"), OPTIONAL.items())
def test_what_may_be_missing_is_none(reports: Reports, inputs: Inputs, file: str, attribute: str) -> None:
    assert getattr(inputs.models[1], attribute) is not None
    (reports.of("cnn4") / file).unlink()
    assert getattr(read(reports).models[1], attribute) is None


def test_costs_are_of_each_model_where_they_are_known(reports: Reports, inputs: Inputs) -> None:
    champion, second, _ = inputs.models
    assert champion.cost and second.cost
    assert champion.cost.milliseconds_per_image["1"] < second.cost.milliseconds_per_image["1"]
    assert champion.training_time and second.training_time
    assert champion.training_time.seconds != second.training_time.seconds
    path = reports.reports / "costs.json"
    costs = read_json(path)
    del costs["cnn4"]
    costs["vgg16_full"]["training"] |= {"device": None, "seconds": None}
    write_json(path, costs)
    _, without, untimed = read(reports).models
    assert without.cost is None and without.training_time is None
    assert untimed.cost is not None and untimed.training_time is None
    path.unlink()
    assert [model.cost for model in read(reports).models] == [None, None, None]


def test_a_cost_that_is_not_complete_is_named_with_its_model(reports: Reports) -> None:
    change(reports.reports / "costs.json", cnn4={"device": "cpu"})
    with pytest.raises(FerflowError, match=r"costs.json is not complete \(cnn4.files, cnn4.milli"):
        read(reports)


@pytest.mark.parametrize(
    "file", ["metrics.json", "model.json", "training.json", "per_class.csv", "confusion.csv"]
)
def test_what_must_be_there_is_named_where_it_is_missing(reports: Reports, file: str) -> None:
    (reports.of("cnn4") / file).unlink()
    with pytest.raises(FerflowError, match=rf"cnn4/{file} is missing: run `dvc repro`"):
        read(reports)


@pytest.mark.parametrize(
    "file", ["quick/leaderboard.csv", "quick/comparisons.csv", "data/facts.json", "validation/report.json"]
)
def test_so_is_what_must_be_there_once(reports: Reports, file: str) -> None:
    (reports.reports.parent / file).unlink()
    with pytest.raises(FerflowError, match=rf"{file} is missing"):
        read(reports)


def test_a_leaderboard_of_other_models_is_refused(reports: Reports) -> None:
    board = reports.reports / "leaderboard.csv"
    write_csv(board, read_table(board).iloc[:2])
    with pytest.raises(FerflowError, match=r"of the models attention_residual, cnn4, params.yaml has"):
        read(reports)


def test_a_report_of_another_model_is_refused(reports: Reports) -> None:
    change(reports.of("cnn4") / "model.json", model="cnn5")
    with pytest.raises(FerflowError, match=r"is of the model cnn5"):
        read(reports)


def test_keys_that_are_missing_or_out_of_range_are_named(reports: Reports) -> None:
    path = reports.of("cnn4") / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["test"]["accuracy"] = 1.5
    del metrics["test"]["macro_f1_low"]
    write_json(path, metrics)
    with pytest.raises(FerflowError, match=r"not complete \(test.accuracy, test.macro_f1_low\)"):
        read(reports)


def test_metrics_without_a_split_name_it(reports: Reports) -> None:
    path = reports.of("cnn4") / "metrics.json"
    write_json(path, {"val": read_json(path)["val"]})
    with pytest.raises(FerflowError, match=r"metrics.json is not complete \(test.accuracy"):
        read(reports)


def test_columns_that_are_missing_are_named(reports: Reports) -> None:
    path = reports.of("cnn4") / "robustness.csv"
    write_csv(path, read_table(path).drop(columns=["severity"]))
    with pytest.raises(FerflowError, match=r"there is no column severity"):
        read(reports)


def test_words_in_a_column_of_numbers_are_one_line(reports: Reports) -> None:
    path = reports.of("cnn4") / "calibration.csv"
    write_csv(path, read_table(path).astype({"samples": str}).assign(samples="many"))
    with pytest.raises(FerflowError, match=r"calibration.csv: .*many") as caught:
        read(reports)
    assert "\n" not in str(caught.value)


def test_empty_bins_are_not_known_rather_than_zero(inputs: Inputs) -> None:
    calibration = inputs.champion.calibration
    assert calibration is not None
    empty = calibration[calibration["samples"] == 0]
    assert len(empty)
    assert empty["accuracy"].isna().all()


def test_a_corruption_called_none_is_a_word(inputs: Inputs) -> None:
    robustness = inputs.champion.robustness
    assert robustness is not None
    assert robustness["corruption"].iloc[0] == "none"


def test_pictures_are_made_smaller_and_are_the_same_every_time(tmp_path: Path) -> None:
    path = tmp_path / "errors.png"
    draw(path, 1600, 500)
    first, again = (read_picture(path, widest=800, photograph=True) for _ in range(2))
    assert first is not None
    assert (first.width, first.height) == (800, 250)
    assert first == again
    assert first.uri.startswith("data:image/webp;base64,")


def test_a_file_that_is_no_picture_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "errors.png"
    path.write_bytes(b"no picture")
    with pytest.raises(FerflowError, match=r"errors.png is not a picture"):
        read_picture(path, widest=100, photograph=True)
