from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from ferflow.errors import FerflowError
from ferflow.evaluation import metrics, report
from ferflow.evaluation.calibration import calibration_table
from ferflow.evaluation.confusions import confusion_counts, top_confusions
from ferflow.evaluation.outcomes import join
from ferflow.evaluation.precision_recall import precision_recall_table
from ferflow.files import read_json
from ferflow.labels import EMOTIONS
from ferflow.params import EvaluateParams

from .invented import MODEL, history_table, labels_table, predictions_table, shuffled_answers

LABELS = labels_table()
PREDICTIONS = predictions_table(LABELS, skill=2)
HISTORY = history_table(("all", 6, 1e-3))
FILES = {
    "metrics.json",
    "per_class.csv",
    "classification_report.txt",
    "classification_report.json",
    "confusion.csv",
    "confusion.png",
    "top_confusions.csv",
    "calibration.csv",
    "reliability.png",
    "precision_recall.csv",
    "precision_recall.png",
    "training_curves.png",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "cnn4"
    summary = report.write(folder, predictions=PREDICTIONS, labels=LABELS, history=HISTORY, model=MODEL)
    assert summary == read_json(folder / "metrics.json")
    return folder


def test_all_files_are_written_and_nothing_else(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES


def test_every_file_has_the_same_bytes_for_the_same_rows_in_another_order(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "model.json").write_text("{}")
    report.write(
        tmp_path,
        predictions=PREDICTIONS.sample(frac=1, random_state=3),
        labels=LABELS.sample(frac=1, random_state=4),
        history=HISTORY.copy(),
        model=MODEL,
    )
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    # What the stage writes there itself is left alone.
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"model.json"}


def test_an_ensemble_has_no_curves_and_says_who_votes(folder: Path, tmp_path: Path) -> None:
    model = MODEL.model_copy(update={"members": {"cnn4": 3.0, "vgg": 1.0}})
    report.write(tmp_path, predictions=PREDICTIONS, labels=LABELS, history=None, model=model)
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"training_curves.png"}
    assert "The votes of cnn4 (75%), vgg (25%)." in (tmp_path / "classification_report.txt").read_text()
    assert (tmp_path / "metrics.json").read_bytes() == (folder / "metrics.json").read_bytes()


def test_confusion_table_is_the_test_split_by_sample_id(folder: Path) -> None:
    expected = PREDICTIONS[PREDICTIONS["split"] == "test"].sort_values("sample_id")
    written = pd.read_csv(folder / "confusion.csv")
    assert list(written.columns) == ["actual", "predicted"]
    assert list(written["actual"]) == list(expected["label"])
    assert list(written["predicted"]) == list(expected["predicted"])


def test_tables_are_of_the_test_split(folder: Path) -> None:
    test = join(PREDICTIONS, LABELS)["test"]
    expected = {
        "top_confusions.csv": top_confusions(confusion_counts(test)),
        "calibration.csv": calibration_table(test),
        "precision_recall.csv": precision_recall_table(test),
    }
    for name, table in expected.items():
        pd.testing.assert_frame_equal(pd.read_csv(folder / name), table, check_dtype=False)


def test_classification_report_names_both_splits_and_all_emotions(folder: Path) -> None:
    values = read_json(folder / "classification_report.json")
    assert list(values) == ["val", "test"]
    for split, rows in values.items():
        assert [*rows][:7] == list(EMOTIONS)
        assert rows["accuracy"] == read_json(folder / "metrics.json")[split]["accuracy"]
    lines = (folder / "classification_report.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "cnn4: cnn4, 1,234,567 parameters, 48 px input, 6 epoch(s), float32"
    assert max(map(len, lines)) <= 80
    test = read_json(folder / "metrics.json")["test"]
    low, high = (f"{test[f'accuracy_{end}']:.1%}" for end in ("low", "high"))
    assert any(f"accuracy {test['accuracy']:.1%} (95% interval {low} to {high})" in line for line in lines)
    for emotion in EMOTIONS:
        assert sum(line.strip().startswith(emotion) for line in lines) == 2


def test_classification_report_says_if_there_was_more_than_one_view() -> None:
    outcomes = join(PREDICTIONS, LABELS)
    several = MODEL.model_copy(update={"evaluate": EvaluateParams(horizontal_flip=True, shift=2)})
    texts = [
        report.classification_text(outcomes, metrics.summarize(outcomes), model) for model in (MODEL, several)
    ]
    assert "views" not in texts[0]
    assert texts[1].splitlines()[2] == "Probabilities are the mean over 10 views of each image."


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("confusion.png", (1440, 1396)),
        ("training_curves.png", (1920, 976)),
        ("reliability.png", (1280, 1456)),
        ("precision_recall.png", (1920, 1116)),
    ],
)
def test_figures_have_their_size_and_are_not_blank(folder: Path, name: str, size: tuple[int, int]) -> None:
    with Image.open(folder / name) as image:
        assert image.size == size
        assert "Software" not in image.info
        assert len(image.convert("L").getcolors() or []) > 50


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (HISTORY.drop(columns="val_loss"), r"missing column\(s\) val_loss"),
        (HISTORY.head(0), "no epoch"),
        (HISTORY.iloc[::-1], "not in order"),
        (pd.concat([HISTORY, HISTORY.tail(1)]), "not in order"),
    ],
)
def test_nothing_is_written_for_a_defective_history(
    tmp_path: Path, history: pd.DataFrame, message: str
) -> None:
    with pytest.raises(FerflowError, match=message):
        report.write(tmp_path / "cnn4", predictions=PREDICTIONS, labels=LABELS, history=history, model=MODEL)
    assert not (tmp_path / "cnn4").exists()


def test_nothing_is_written_for_predictions_that_disagree_with_the_truth(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match="have no prediction"):
        report.write(
            tmp_path / "cnn4", predictions=PREDICTIONS.iloc[1:], labels=LABELS, history=HISTORY, model=MODEL
        )
    assert not (tmp_path / "cnn4").exists()


def test_nothing_is_written_for_answers_in_the_order_of_a_shuffled_generator(tmp_path: Path) -> None:
    mistaken = shuffled_answers(PREDICTIONS)
    with pytest.raises(FerflowError, match="beside the wrong sample ids"):
        report.write(tmp_path / "cnn4", predictions=mistaken, labels=LABELS, history=HISTORY, model=MODEL)
    assert not (tmp_path / "cnn4").exists()


def test_a_split_without_some_classes_is_reported_without_a_warning(tmp_path: Path) -> None:
    labels = labels_table(emotions=("happy", "sad"))
    predictions = predictions_table(labels, skill=2)
    report.write(tmp_path, predictions=predictions, labels=labels, history=HISTORY, model=MODEL)
    absent = pd.read_csv(tmp_path / "per_class.csv").query("label == 'disgust'")
    assert absent["average_precision"].isna().all()
    assert set(pd.read_csv(tmp_path / "precision_recall.csv")["label"]) == {"happy", "sad"}
