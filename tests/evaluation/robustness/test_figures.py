from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from ferflow.evaluation.robustness.card import drawn_card
from ferflow.evaluation.robustness.corruptions import CORRUPTIONS, corrupt
from ferflow.evaluation.robustness.figure import in_points, robustness_figure
from ferflow.evaluation.robustness.matrix import matrix, matrix_figure

from .tables import robustness_table

TABLES = {
    "full": robustness_table(severities=(1, 2, 3, 4, 5), clean=0.7, samples=3589),
    "quick": robustness_table(severities=(2, 4), samples=56),
    "one severity": robustness_table(severities=(3,), samples=7),
    "all wrong": robustness_table(clean=0.0),
    "all right": robustness_table(clean=1.0, lost=0.0),
}


def clashes(figure: Figure) -> list[tuple[str, str]]:
    """Texts that cover each other, or leave the picture."""
    figure.draw_without_rendering()
    shown = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown if text.get_text().strip()]
    whole = figure.bbox
    cut = [
        (words, "the edge")
        for words, box in boxes
        if box.x0 < whole.x0 or box.y0 < whole.y0 or box.x1 > whole.x1 or box.y1 > whole.y1
    ]
    covering = [
        (words, others)
        for place, (words, box) in enumerate(boxes)
        for others, beside in boxes[place + 1 :]
        # A text's box is higher than its letters.
        if box.shrunk(0.95, 0.8).overlaps(beside)
    ]
    return cut + covering


def whiskers_of(axes: Axes) -> list[LineCollection]:
    return [lines for lines in axes.collections if isinstance(lines, LineCollection)]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_models_figure_holds_every_point_and_word(table: pd.DataFrame) -> None:
    figure = robustness_figure(table, "attention_residual_with_a_long_name")
    assert clashes(figure) == []
    panels = [axes for axes in figure.axes if axes.get_title("left")]
    assert [axes.get_title("left") for axes in panels] == [kind.title for kind in CORRUPTIONS.values()]
    for axes, corruption in zip(panels, CORRUPTIONS, strict=True):
        (line,) = [line for line in axes.lines if line.get_linestyle() == "-"]
        of_panel = table[table["corruption"].isin(["none", corruption])]
        np.testing.assert_array_equal(line.get_xydata(), of_panel[["severity", "accuracy"]])
        whiskers = np.concatenate([lines.get_segments() for lines in whiskers_of(axes)]).reshape(-1, 2)
        bottom, top = axes.get_ylim()
        assert bottom <= whiskers[:, 1].min()
        assert whiskers[:, 1].max() <= top


def test_a_panel_says_what_its_damage_costs() -> None:
    table = robustness_table(severities=(1, 5), clean=0.8, lost=0.1)
    figure = robustness_figure(table, "cnn4")
    assert figure.axes[0].get_title("right") == "50% (−30)"
    assert any("80.0% on clean images (dashed), 45.5%" in text.get_text() for text in figure.texts)


def test_the_pictures_are_of_the_damage_that_was_measured() -> None:
    figure = robustness_figure(robustness_table(severities=(2, 4)), "cnn4")
    strips = [axes for axes in figure.axes if axes.images]
    assert len(strips) == len(CORRUPTIONS)
    for strip, corruption in zip(strips, CORRUPTIONS, strict=True):
        expected = [drawn_card(), corrupt(drawn_card(), corruption, 2), corrupt(drawn_card(), corruption, 4)]
        for drawn, picture in zip(strip.images, expected, strict=True):
            np.testing.assert_array_equal(drawn.get_array(), picture[0, :, :, 0])


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_the_card_shows_every_damage(corruption: str, severity: int) -> None:
    assert np.abs(corrupt(drawn_card(), corruption, severity).astype(int) - drawn_card()).mean() > 0.5


@pytest.mark.parametrize(("count", "guessing"), [(1, 0), (2, 0), (12, 10)])
def test_the_matrix_holds_every_model_and_word(count: int, guessing: int) -> None:
    tables = {
        f"resnet50_two_phase_{place}": robustness_table(severities=(1, 2, 3, 4, 5), clean=0.7 / (place + 1))
        for place in range(count)
    }
    figure = matrix_figure(tables)
    assert clashes(figure) == []
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert {"70%", "−15", *tables} <= set(texts)
    # A model that guesses keeps what it has: that is nothing to praise.
    assert texts.count("little to lose") == guessing


def test_figures_do_not_depend_on_the_order_of_rows() -> None:
    table = robustness_table()
    shuffled = table.sample(frac=1, random_state=4)
    one, other = (robustness_figure(rows, "cnn4").axes for rows in (table, shuffled))
    for axes, of_other in zip(one, other, strict=True):
        for line, its_twin in zip(axes.lines, of_other.lines, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), its_twin.get_xydata())
    pd.testing.assert_frame_equal(matrix({"cnn4": table}), matrix({"cnn4": shuffled}))


@pytest.mark.parametrize(
    ("severities", "words"), [((3,), "damaged: severity 3,"), ((2, 4), "damaged: mean over severities 2, 4,")]
)
def test_the_matrix_says_what_it_is_a_mean_of(severities: tuple[int, ...], words: str) -> None:
    figure = matrix_figure({"cnn4": robustness_table(severities)})
    assert any(words in text.get_text() for text in figure.texts)


@pytest.mark.parametrize(("change", "points"), [(-0.126, "−13"), (0.02, "+2"), (-0.004, "±0"), (0.0, "±0")])
def test_a_change_that_rounds_to_none_has_no_direction(change: float, points: str) -> None:
    assert in_points(change) == points
