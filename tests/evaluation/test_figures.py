from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from ferflow import style
from ferflow.evaluation import figures

from .invented import history_table

SCORES = {"accuracy": 0.5, "macro_f1": 0.4}


def test_a_users_settings_change_no_byte_and_are_left_alone(tmp_path: Path) -> None:
    history = history_table(("all", 3, 1e-3))
    style.save_png(tmp_path / "plain.png", figures.training_curves(history, "cnn4"))
    with mpl.rc_context({"font.size": 21, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        style.save_png(tmp_path / "other.png", figures.training_curves(history, "cnn4"))
        assert mpl.rcParams["font.size"] == 21
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_phases_are_separated_where_the_next_one_begins() -> None:
    figure = figures.training_curves(history_table(("head", 4, 1e-3), ("finetune", 3, 1e-5)), "cnn4")
    for axes in figure.axes:
        boundaries = [
            np.asarray(line.get_xdata()).tolist() for line in axes.lines if line.get_linestyle() == "--"
        ]
        assert boundaries == [[4.5, 4.5]]
    assert any("head 1–4, finetune 5–7" in text.get_text() for text in figure.texts)


def test_the_best_epoch_on_validation_is_marked() -> None:
    history = history_table(("all", 6, 1e-3))
    loss, _, accuracy, _ = figures.training_curves(history, "cnn4").axes
    assert loss.get_title("right") == "best on validation: 0.775 in epoch 4"
    assert accuracy.get_title("right") == "best on validation: 61.7% in epoch 6"


@pytest.mark.parametrize(
    ("column", "value"),
    [("val_loss", np.nan), ("loss", np.inf), ("learning_rate", 0.0)],
)
def test_a_training_that_went_wrong_is_drawn_too(tmp_path: Path, column: str, value: float) -> None:
    history = history_table(("all", 2, 1e-3))
    history[column] = value
    style.save_png(tmp_path / "curves.png", figures.training_curves(history, "cnn4"))
    with Image.open(tmp_path / "curves.png") as image:
        assert image.width == 1920


def test_confusion_shows_shares_of_rows_and_counts() -> None:
    counts = np.zeros((7, 7), dtype=np.int64)
    counts[0, 0], counts[0, 3], counts[3, 3] = 3, 1, 1000
    texts = [text.get_text() for text in figures.confusion(counts, "cnn4", SCORES).axes[0].texts]
    assert {"75%", "25%", "100%", "3", "1", "1,000", ">99% right", "0 images"} <= set(texts)
    assert texts.count("never") == 5


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (0.004, "<1%"), (0.006, "1%"), (0.5, "50%"), (0.997, ">99%"), (1, "100%")],
)
def test_percent_says_none_and_all_only_where_it_is_meant(share: float, text: str) -> None:
    assert style.percent(share) == text
