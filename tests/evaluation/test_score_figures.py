from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ferflow import style
from ferflow.evaluation import metrics, score_figures
from ferflow.evaluation.calibration import calibration_table
from ferflow.evaluation.outcomes import Outcomes, join
from ferflow.evaluation.precision_recall import precision_recall_table
from ferflow.labels import EMOTIONS

from .invented import labels_table, outcomes_with, predictions_table


def invented(*emotions: str) -> Outcomes:
    labels = labels_table(600, emotions=emotions or EMOTIONS)
    return join(predictions_table(labels, skill=2), labels)["test"]


def of(outcomes: Outcomes) -> tuple[pd.DataFrame, str, dict[str, float]]:
    return calibration_table(outcomes), "cnn4", metrics.scores(outcomes)


def test_reliability_shows_each_bin_with_samples_where_it_is() -> None:
    outcomes = invented()
    figure = score_figures.reliability(*of(outcomes))
    above, below = figure.axes
    table = calibration_table(outcomes)
    filled = table[table["samples"] > 0]
    points = np.asarray(above.collections[1].get_offsets())
    np.testing.assert_allclose(points, filled[["confidence", "accuracy"]].to_numpy())
    heights = [bar.get_window_extent().height for bar in below.patches]
    assert np.argmax(heights) == table["samples"].argmax()
    assert [height > 0 for height in heights] == [samples > 0 for samples in table["samples"]]
    error = metrics.scores(outcomes)["calibration_error"]
    assert any(text.get_text().startswith(f"calibration error {error:.1%}") for text in figure.texts)


def test_each_emotion_has_its_own_curve_and_what_guessing_reaches() -> None:
    outcomes = invented()
    per_class = metrics.per_class({"test": outcomes})
    table = precision_recall_table(outcomes)
    figure = score_figures.precision_recall(table, per_class, "cnn4")
    for place, (axes, emotion) in enumerate(zip(figure.axes, EMOTIONS, strict=False)):
        assert axes.get_title("left") == emotion
        assert axes.get_title("right") == f"AP {per_class['average_precision'].iloc[place]:.2f}"
        guessing, curve = axes.lines[-2:]
        np.testing.assert_allclose(np.asarray(guessing.get_ydata()), np.mean(outcomes.actual == place))
        points = table[table["label"] == emotion]
        np.testing.assert_allclose(np.asarray(curve.get_xdata())[1:], points["recall"])
        np.testing.assert_allclose(np.asarray(curve.get_ydata())[1:], points["precision"])


def test_the_ranking_has_the_highest_on_top_and_no_absent_emotion() -> None:
    outcomes = invented("happy", "sad", "fear")
    per_class = metrics.per_class({"test": outcomes})
    per_class.loc[per_class["label"].isin(["happy", "sad"]), "average_precision"] = 0.9
    per_class.loc[per_class["label"] == "fear", "average_precision"] = 0.95
    figure = score_figures.precision_recall(precision_recall_table(outcomes), per_class, "cnn4")
    *panels, ranking = figure.axes
    heights = {text.get_text(): text.get_position()[1] for text in ranking.texts}
    assert sorted(heights, key=heights.__getitem__, reverse=True) == ["fear", "happy", "sad"]
    absent = [panel.get_title("left") for panel in panels if panel.texts]
    assert absent == ["angry", "disgust", "surprise", "neutral"]


@pytest.mark.parametrize(
    "probabilities", [np.full((9, 7), 1 / 7), np.eye(7)[[0, 1, 2, 3, 4, 5, 6, 0, 0]], np.eye(7)[[3] * 9]]
)
def test_extreme_models_are_drawn_too(
    tmp_path: Path, probabilities: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> None:
    outcomes = outcomes_with(actual=[0, 1, 2, 3, 4, 5, 6, 0, 0], probabilities=probabilities)
    per_class = metrics.per_class({"test": outcomes})
    style.save_png(tmp_path / "a.png", score_figures.reliability(*of(outcomes)))
    curves = precision_recall_table(outcomes)
    style.save_png(tmp_path / "b.png", score_figures.precision_recall(curves, per_class, "cnn4"))
    assert (tmp_path / "a.png").stat().st_size > 10_000
    assert (tmp_path / "b.png").stat().st_size > 10_000
