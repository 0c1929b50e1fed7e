from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation
from PIL import Image

from ferflow import style
from ferflow.evaluation.label_placement import Box, place_labels, text_width
from ferflow.evaluation.pareto import pareto_front
from ferflow.evaluation.pareto_figure import pareto_figure

AREA = Box(0, 0, 10, 5)


def ranked(
    *models: tuple[float, float], near_chance: tuple[int, ...] = (), name: str = "model"
) -> pd.DataFrame:
    """A leaderboard of models given as FLOPs and accuracy."""
    flops, accuracy = (np.array(values, dtype=np.float64) for values in zip(*models, strict=True))
    return pd.DataFrame(
        {
            "model": [f"{name}_{place}" for place in range(len(models))],
            "flops": flops.astype(np.int64),
            "parameters": np.arange(1, len(models) + 1) * 1_000_000,
            "test_accuracy": accuracy,
            "test_accuracy_low": accuracy - 0.03,
            "test_accuracy_high": accuracy + 0.03,
            "test_majority_share": 0.15,
            "near_chance": [place in near_chance for place in range(len(models))],
            "views": 1,
        }
    )


CROWD = [
    *((1.5e8 * (1 + 0.02 * place), 0.15 + 0.005 * place) for place in range(4)),
    *((6e8, 0.157), (6e8, 0.157), (6.3e8, 0.154), (6.3e8, 0.154)),
    *((1.17e8, 0.782), (1.18e8, 0.786), (3e8, 0.70), (1.5e8, 0.68)),
]


@pytest.mark.parametrize(
    ("models", "front"),
    [
        ([(5, 0.5)], [True]),
        ([(1, 0.3), (2, 0.6), (3, 0.5)], [True, True, False]),
        ([(1, 0.6), (2, 0.6)], [True, False]),  # as accurate, and cheaper
        ([(1, 0.5), (1, 0.6)], [False, True]),  # as cheap, and more accurate
        ([(1, 0.6), (1, 0.6)], [True, True]),  # neither is better
        ([(3, 0.3), (2, 0.4), (1, 0.5)], [False, False, True]),
    ],
)
def test_the_front_is_who_is_beaten_by_nobody(models: list[tuple[float, float]], front: list[bool]) -> None:
    costs, accuracies = zip(*models, strict=True)
    nobody = [False] * len(models)
    assert pareto_front(costs, accuracies, nobody).tolist() == front
    assert pareto_front(costs[::-1], accuracies[::-1], nobody).tolist() == front[::-1]


def test_a_model_near_chance_is_not_on_the_front_and_beats_nobody() -> None:
    near_chance = [True, False, False]
    assert pareto_front([1, 2, 3], [0.16, 0.16, 0.5], near_chance).tolist() == [False, True, True]
    assert not pareto_front([1], [0.16], [True]).any()


def test_a_model_whose_flops_are_unknown_is_left_out_and_counted(tmp_path: Path) -> None:
    table = ranked((1e8, 0.5), (2e8, 0.9), (3e8, 0.7)).astype({"flops": "Int64"})
    table.loc[1, "flops"] = pd.NA
    figure = pareto_figure(table)
    style.save_png(tmp_path / "some.png", figure)
    assert "1 left out: FLOPs unknown" in figure.texts[1].get_text()
    assert "model_1" not in [text.get_text() for text in figure.axes[0].texts]
    nothing = pareto_figure(table[1:2])
    style.save_png(tmp_path / "none.png", nothing)
    assert nothing.texts[1].get_text() == "The FLOPs of no model can be counted"


def test_labels_of_a_crowd_cover_neither_marks_nor_each_other() -> None:
    generator = np.random.default_rng(3)
    marks = [Box.around(2 + generator.random(), 2 + generator.random(), 0.2, 0.2) for _ in range(12)]
    wall = Box(3.2, 0, 3.25, 4)
    sizes = [(1.2 + 0.1 * place, 0.17) for place in range(12)]
    boxes = place_labels(marks, sizes, [wall], AREA)
    assert [(round(box.right - box.left, 9), round(box.top - box.bottom, 9)) for box in boxes] == [
        (round(width, 9), height) for width, height in sizes
    ]
    for one, other in combinations(boxes, 2):
        assert one.shared(other) == 0
    for box in boxes:
        assert all(box.shared(mark) < 1e-9 for mark in [*marks, wall])
        assert box.shared(AREA) == pytest.approx((box.right - box.left) * (box.top - box.bottom))


def test_a_lonely_label_is_at_the_right_of_its_mark_unless_there_is_no_room() -> None:
    middle, edge = Box.around(5, 2, 0.4, 0.4), Box.around(9.5, 2, 0.4, 0.4)
    (label,) = place_labels([middle], [(1, 0.2)], [], AREA)
    assert label == pytest.approx(Box(5.2, 1.9, 6.2, 2.1))
    (label,) = place_labels([edge], [(1, 0.2)], [], AREA)
    assert label.right <= 10 and label.shared(edge) == pytest.approx(0)


def test_there_is_a_label_even_where_everything_is_covered() -> None:
    (label,) = place_labels([Box.around(1, 1, 0.1, 0.1)], [(3, 0.2)], [AREA], AREA)
    assert label.right - label.left == pytest.approx(3)


def test_the_width_of_a_text_is_what_is_drawn() -> None:
    with style.house_style():
        figure = style.new_figure(5, 1, "title", "subtitle")
        for bold in (False, True):
            weight = "bold" if bold else "normal"
            drawn = figure.text(0, 0, "a_model_of_ours", fontsize=9, fontweight=weight).get_window_extent()
            assert text_width("a_model_of_ours", 9, bold=bold) == pytest.approx(
                drawn.width / figure.dpi, abs=0.03
            )


def test_twelve_models_in_a_crowd_are_all_named_side_by_side(tmp_path: Path) -> None:
    figure = pareto_figure(ranked(*CROWD, near_chance=tuple(range(8)), name="a_rather_long_name"))
    style.save_png(tmp_path / "pareto.png", figure)
    axes = figure.axes[0]
    names = [text for text in axes.texts if text.get_text().startswith("a_rather")]
    notes = [text for text in axes.texts if text.get_text().endswith(" M")]
    assert len(names) == len(notes) == 12
    boxes = [text.get_window_extent() for text in [*names, *notes]]
    for one, other in combinations(boxes, 2):
        assert not one.shrunk(0.98, 0.8).overlaps(other.shrunk(0.98, 0.8))
    inside = axes.get_window_extent()
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)
    # In the order of the crowd's accuracies only those two are on the front.
    bold = {text.get_text()[-1] for text in names if text.get_fontweight() == "bold"}
    assert bold == {"8", "9"}
    muted = [text.get_text() for text in names if text.get_color() == style.MUTED]
    assert len(muted) == 8


def test_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        style.save_png(tmp_path / f"{name}.png", pareto_figure(ranked(*CROWD[8:])))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as image:
        assert image.width == 1920


@pytest.mark.parametrize(
    ("table", "legend"),
    [
        (ranked((1e8, 0.8)), ["on the front"]),
        (ranked((1e8, 0.16), near_chance=(0,)), ["most frequent emotion 15.0%", "near chance"]),
        (ranked((1e8, 0.8), (2e8, 0.7)), ["on the front", "not on it"]),
        (ranked((0, 0.8), (2e8, 0.9)), ["on the front"]),  # no FLOPs were counted
    ],
)
def test_the_legend_has_what_is_in_the_picture(
    tmp_path: Path, table: pd.DataFrame, legend: list[str]
) -> None:
    figure = pareto_figure(table)
    style.save_png(tmp_path / "pareto.png", figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == legend


def test_the_front_is_drawn_as_stairs_to_the_right_edge() -> None:
    axes = pareto_figure(ranked((1e8, 0.6), (4e8, 0.8), (2e8, 0.7), (3e8, 0.5))).axes[0]
    stairs = next(line for line in axes.lines if len(np.asarray(line.get_xdata())) > 2)
    assert np.asarray(stairs.get_xdata()).tolist() == [1e8, 2e8, 2e8, 4e8, 4e8, axes.get_xlim()[1]]
    assert np.asarray(stairs.get_ydata()).tolist() == [0.6, 0.6, 0.7, 0.7, 0.8, 0.8]


def test_a_label_that_is_away_from_its_model_is_led_there() -> None:
    figure = pareto_figure(ranked(*[(1e8 + place, 0.6) for place in range(8)]))
    led = [text for text in figure.axes[0].texts if isinstance(text, Annotation) and text.arrow_patch]
    assert led
