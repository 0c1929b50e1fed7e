from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from ferflow.labels import EMOTIONS
from ferflow.page import matrices
from ferflow.page.inputs import Inputs


def test_confusions_are_shares_of_the_actual_emotion() -> None:
    counts = pd.DataFrame(0, index=list(EMOTIONS), columns=list(EMOTIONS))
    counts.loc["fear", "surprise"], counts.loc["fear", "fear"] = 1, 3
    found = dict(matrices.confusion(counts).rows)
    cell = found["fear"][EMOTIONS.index("surprise")]
    assert (cell.words, cell.note, cell.level) == ("25", "1", 0.25)
    assert cell.title == "1 of 4 images of fear taken for surprise"
    # An emotion without images is no division by zero.
    assert {cell.words for cell in found["sad"]} == {"0"}


@pytest.mark.parametrize(("right", "words"), [(1, "<1"), (999, ">99"), (1000, "100"), (500, "50")])
def test_shares_say_none_or_all_only_where_it_is_meant(right: int, words: str) -> None:
    counts = pd.DataFrame(0, index=list(EMOTIONS), columns=list(EMOTIONS))
    counts.loc["sad", "sad"], counts.loc["sad", "fear"] = right, 1000 - right
    sad = EMOTIONS.index("sad")
    assert matrices.confusion(counts).rows[sad][1][sad].words == words


def test_a_difference_has_the_other_sign_from_the_other_side(inputs: Inputs) -> None:
    pairs = inputs.comparisons.assign(
        accuracy_difference=0.1,
        accuracy_difference_low=0.05,
        accuracy_difference_high=0.2,
        only_a_right=30,
        only_b_right=2,
        p_value_holm=0.0001,
        differs=True,
    )
    matrix = matrices.comparisons(pairs, inputs.models)
    first, second = matrix.rows[0][1][1], matrix.rows[1][1][0]
    assert (first.words, first.tone) == ("+10.0", "better")
    assert (second.words, second.tone) == ("−10.0", "worse")
    assert "95% interval −20.0 to −5.0; 2 right only by cnn4, 30 only by attention_residual" in second.title
    assert "p < 0.001 after Holm's correction: real" in second.title


def test_what_is_not_told_apart_has_no_colour(inputs: Inputs) -> None:
    pairs = inputs.comparisons.assign(differs=False, p_value_holm=1.0)
    matrix = matrices.comparisons(pairs, inputs.models)
    assert {cell.tone for _, cells in matrix.rows for cell in cells} == {"none"}
    assert matrix.rows[0][1][1].title.endswith("not told apart")


def test_the_matrix_is_square_and_its_columns_are_ranks(inputs: Inputs) -> None:
    matrix = matrices.comparisons(inputs.comparisons, inputs.models)
    assert matrix.columns == ("1", "2", "3")
    assert [len(cells) for _, cells in matrix.rows] == [3, 3, 3]
    assert [cells[row].words for row, (_, cells) in enumerate(matrix.rows)] == ["·"] * 3


def test_damage_is_averaged_over_severities_with_clean_images_first(inputs: Inputs) -> None:
    matrix = matrices.robustness_of_models(inputs.models)
    assert matrix is not None
    assert matrix.columns[:4] == ("clean", "noise", "blur", "mouth covered")
    clean, noise = matrix.rows[0][1][:2]
    assert clean.level == pytest.approx(inputs.champion.test.accuracy)
    # Severities 1 to 5 keep 1 - severity / 75 of it.
    assert noise.level == pytest.approx(clean.level * (1 - 3 / 75))


def test_what_one_model_alone_was_not_asked_is_a_dash(inputs: Inputs) -> None:
    first, *others = inputs.models
    assert first.robustness is not None
    fewer = replace(first, robustness=first.robustness[first.robustness["corruption"] != "blur"])
    matrix = matrices.robustness_of_models([fewer, *others])
    assert matrix is not None
    assert matrix.rows[0][1][matrix.columns.index("blur")].words == "–"
    assert matrices.robustness_of_models([replace(first, robustness=None)]) is None


def test_one_models_damage_is_by_severity(inputs: Inputs) -> None:
    assert inputs.champion.robustness is not None
    matrix = matrices.robustness(inputs.champion.robustness)
    assert matrix.columns == ("1", "2", "3", "4", "5")
    assert [name for name, _ in matrix.rows][-1] == "JPEG"
    assert all(first.level > last.level for _, (first, *_, last) in matrix.rows)
