from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ferflow import style
from ferflow.errors import FerflowError
from ferflow.evaluation.comparisons import compare
from ferflow.evaluation.comparisons_figure import comparisons_figure
from ferflow.evaluation.outcomes import Outcomes, join
from ferflow.evaluation.significance import holm, mcnemar
from ferflow.files import write_csv

from .invented import labels_table, predictions_table

LABELS = labels_table(400)
SKILLS = {"good": 3.0, "fair": 1.5, "blind": 0.0}


def outcomes(skills: dict[str, float] | None = None, *, shuffled: bool = False) -> dict[str, Outcomes]:
    result = {}
    for seed, (name, skill) in enumerate((skills or SKILLS).items()):
        predictions = predictions_table(LABELS, seed, skill)
        if shuffled:
            predictions = predictions.sample(frac=1, random_state=seed)
        result[name] = join(predictions, LABELS)["test"]
    return result


def ranked(names: list[str], *, near_chance: str = "") -> pd.DataFrame:
    accuracies = np.linspace(0.7, 0.3, len(names))
    lost = [name == near_chance for name in names]
    return pd.DataFrame({"model": names, "test_accuracy": accuracies, "near_chance": lost})


def test_there_is_a_row_for_each_pair_in_the_order_given() -> None:
    table = compare(outcomes())
    pairs = list(zip(table["model_a"], table["model_b"], strict=True))
    assert pairs == [("good", "fair"), ("good", "blind"), ("fair", "blind")]


def test_a_row_says_what_both_models_answered() -> None:
    models = outcomes()
    row = compare(models).iloc[1]
    right = {name: each.predicted == each.actual for name, each in models.items()}
    assert row["samples"] == len(right["good"])
    assert row["only_a_right"] == (right["good"] & ~right["blind"]).sum()
    assert row["only_b_right"] == (right["blind"] & ~right["good"]).sum()
    difference = right["good"].mean() - right["blind"].mean()
    assert row["accuracy_difference"] == pytest.approx(difference, abs=1e-6)
    assert 0 < row["accuracy_difference_low"] < difference < row["accuracy_difference_high"]
    assert row["macro_f1_difference_low"] < row["macro_f1_difference"] < row["macro_f1_difference_high"]
    assert row["differs"]


def test_p_values_are_corrected_over_all_pairs() -> None:
    table = compare(outcomes())
    raw = [mcnemar(a, b) for a, b in zip(table["only_a_right"], table["only_b_right"], strict=True)]
    np.testing.assert_allclose(table["p_value"], raw, rtol=1e-5)
    np.testing.assert_allclose(table["p_value_holm"], holm(raw), rtol=1e-5)
    assert table["differs"].tolist() == (holm(raw) < 0.05).tolist()
    # The correction decides: among many equals, what a single test calls real is not.
    many = compare(outcomes({"fair": 1.5, "other": 1.1} | {f"equal_{place}": 1.3 for place in range(6)}))
    assert ((many["p_value"] < 0.05) & ~many["differs"]).any()


def test_models_of_one_skill_are_not_said_to_differ_nor_one_from_itself() -> None:
    models = outcomes({"one": 1.5})
    row = compare(models | {"copy": models["one"]}).iloc[0]
    assert (row["accuracy_difference"], row["p_value"], row["p_value_holm"]) == (0, 1, 1)
    assert not row["differs"]


def test_the_file_does_not_depend_on_the_order_of_predictions(tmp_path: Path) -> None:
    write_csv(tmp_path / "plain.csv", compare(outcomes()))
    write_csv(tmp_path / "shuffled.csv", compare(outcomes(shuffled=True)))
    assert (tmp_path / "plain.csv").read_bytes() == (tmp_path / "shuffled.csv").read_bytes()


def test_a_pair_does_not_depend_on_who_else_is_compared() -> None:
    all_three, two = compare(outcomes()), compare(dict(list(outcomes().items())[:2]))
    own = [column for column in two.columns if column not in ("p_value_holm", "differs")]
    pd.testing.assert_series_equal(all_three.iloc[0][own], two.iloc[0][own])


def test_the_smallest_p_value_is_not_zero_in_the_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", compare(outcomes({"perfect": 50.0, "blind": 0.0})))
    assert 0 < pd.read_csv(tmp_path / "table.csv")["p_value"].iloc[0] < 1e-15


def test_one_model_makes_a_table_without_rows_but_with_all_columns() -> None:
    single, several = compare(outcomes({"one": 1.0})), compare(outcomes())
    assert len(single) == 0
    assert single.dtypes.to_dict() == several.dtypes.to_dict()


def test_other_samples_are_refused() -> None:
    models = outcomes()
    other_ids = models["fair"].sample_id.copy()
    other_ids[0] = "ffff"
    broken = models | {"fair": replace(models["fair"], sample_id=other_ids)}
    message = r"predictions of good and fair: measured on different samples \(2 sample id\(s\), e\.g\."
    with pytest.raises(FerflowError, match=message):
        compare(broken)
    fewer = Outcomes(*(values[1:] for values in vars(models["blind"]).values()))
    with pytest.raises(FerflowError, match=r"good and blind: measured on different samples \(1 sample"):
        compare(models | {"blind": fewer})


def test_other_labels_are_refused() -> None:
    models = outcomes()
    actual = (models["fair"].actual + 1) % 7
    with pytest.raises(FerflowError, match="good and fair: measured against different labels"):
        compare(models | {"fair": replace(models["fair"], actual=actual)})


def test_the_picture_has_a_cell_for_each_pair_and_fills_the_real_ones() -> None:
    table = compare(outcomes())
    table.loc[0, ["accuracy_difference", "differs"]] = [0.0004, False]
    table.loc[1, ["accuracy_difference", "differs"]] = [0.213, True]
    table.loc[2, ["accuracy_difference", "differs"]] = [-0.062, True]
    axes = comparisons_figure(ranked(list(SKILLS), near_chance="blind"), table).axes[0]
    cells = {text.get_text(): text.get_fontweight() for text in axes.texts}
    assert {"0.0": "normal", "+21.3": "bold", "−6.2": "bold"}.items() <= cells.items()
    unreal, above, right = (np.array(patch.get_facecolor(), dtype=np.float64)[:3] for patch in axes.patches)
    assert above[2] > above[0], "blue where the model above is better"
    assert right[0] > right[2], "orange where the other one is"
    # In gray: what is not real is the lightest.
    assert unreal.min() > max(above.mean(), right.mean()) + 0.2
    assert {"good", "70.0%", "30.0%, near chance"} <= cells.keys()


def test_a_cell_is_below_its_first_model_and_left_of_its_second() -> None:
    table = compare(outcomes())
    axes = comparisons_figure(ranked(list(SKILLS)), table).axes[0]
    corners = [(round(patch.get_x()), int(patch.get_y())) for patch in axes.patches]  # type: ignore[attr-defined]
    assert corners == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("count", [1, 2, 12])
def test_every_number_of_models_is_drawn_inside_the_picture(tmp_path: Path, count: int) -> None:
    names = [f"a_model_with_a_rather_long_name_{place}" for place in range(count)]
    # Statistics of the few are enough for a picture of the many.
    table = compare(outcomes(dict.fromkeys(names[:2], 1.0)))
    figure = comparisons_figure(ranked(names, near_chance=names[-1]), table)
    style.save_png(tmp_path / "one.png", figure)
    width, height = figure.get_size_inches() * figure.dpi
    for text in [*figure.texts, *figure.axes[0].texts]:
        box = text.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height, text.get_text()
    style.save_png(tmp_path / "two.png", comparisons_figure(ranked(names, near_chance=names[-1]), table))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
