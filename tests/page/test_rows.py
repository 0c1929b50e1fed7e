from __future__ import annotations

import json
import math
from dataclasses import replace

import altair as alt
import pandas as pd
import pytest
import vl_convert

from ferflow.page import charts, rows
from ferflow.page.chart_style import CONFIG
from ferflow.page.inputs import Inputs, Model

SPECIFICATIONS = charts.specifications()


def test_the_front_is_another_for_every_cost(inputs: Inputs) -> None:
    costs = rows.costs(inputs.models)
    assert list(dict.fromkeys(costs["kind"])) == ["FLOPs", "parameters", "milliseconds an image"]
    assert rows.on_front(costs, "milliseconds an image") == ["attention_residual"]


def test_a_phase_begins_between_two_epochs_but_for_the_first() -> None:
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "phase": ["head", "head", "all"], "loss": 1.0, "accuracy": 0.5}
    )
    found = rows.history(history)
    assert found["begins"] == [1, None, 2.5]
    assert found["train_loss"] == [1, 1, 1]


def test_every_kind_of_damage_begins_at_the_clean_images(inputs: Inputs) -> None:
    table = inputs.champion.robustness
    assert table is not None
    found = pd.DataFrame(rows.robustness(table))
    starts = found[found["severity"] == 0]
    assert len(starts) == found["corruption"].nunique() == 10
    assert set(starts["accuracy"]) == {round(inputs.champion.test.accuracy, 4)}
    assert list(found["corruption"].unique()[:3]) == ["noise", "blur", "mouth covered"]


def test_clean_images_alone_are_no_line(inputs: Inputs) -> None:
    table = inputs.champion.robustness
    assert table is not None
    assert rows.robustness(table[table["severity"] == 0])["accuracy"] == []


def test_no_model_that_was_damaged_is_no_chart(inputs: Inputs) -> None:
    assert rows.robustness_of_models([]) == {}
    assert set(rows.robustness_of_models(inputs.models)["model"]) == {m.name for m in inputs.models}


def test_models_after_the_sixth_are_others(inputs: Inputs) -> None:
    def ranked(rank: int) -> Model:
        standing = inputs.champion.standing.model_copy(update={"rank": rank})
        return replace(inputs.champion, standing=standing)

    groups = rows.robustness_of_models([ranked(6), ranked(7), ranked(8)])["group"]
    assert list(dict.fromkeys(groups)) == ["attention_residual", "others"]


def test_what_is_not_known_is_null_and_numbers_are_short(inputs: Inputs) -> None:
    found = rows.chart_rows(inputs)
    assert None in found["calibration attention_residual"]["accuracy"]
    text = json.dumps(found, allow_nan=False)
    assert max(len(part.partition(".")[2]) for part in text.replace("]", ",").split(",")) < 12
    assert all(len({len(column) for column in table.values()}) == 1 for table in found.values())


@pytest.mark.parametrize("name", sorted(SPECIFICATIONS))
def test_every_chart_is_valid_and_draws_its_rows(name: str, inputs: Inputs) -> None:
    spec = SPECIFICATIONS[name]
    known = rows.chart_rows(inputs)
    table = known[_rows_of(name)]
    columns = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    whole = {
        **spec,
        "config": CONFIG,
        "width": 400,
        "datasets": {**spec.get("datasets", {}), "rows": columns},
    }
    alt.Chart.from_dict(whole)  # raises where it is against Vega-Lite's schema
    svg = vl_convert.vegalite_to_svg(whole)
    assert svg.count("<path") + svg.count("<line") > 5
    assert "NaN" not in svg


@pytest.mark.parametrize("name", sorted(SPECIFICATIONS))
def test_every_field_that_a_chart_reads_is_there(name: str, inputs: Inputs) -> None:
    derived = {"measured on", "value", "at"}
    fields = {field.replace("\\", "") for field in _fields(SPECIFICATIONS[name])}
    assert fields - derived <= set(rows.chart_rows(inputs)[_rows_of(name)])


def test_charts_are_the_same_every_time() -> None:
    assert json.dumps(charts.specifications.__wrapped__()) == json.dumps(SPECIFICATIONS)


def test_a_share_that_is_whole_is_a_whole_number() -> None:
    table = pd.DataFrame(
        {"label": ["sad"], "threshold": [0.123456], "precision": [1.0], "recall": [math.nan]}
    )
    found = rows.precision_recall(table)
    assert (found["threshold"], found["precision"], found["recall"]) == ([0.1235], [1], [None])


def _rows_of(name: str) -> str:
    """The key of the rows that a chart draws, of the champion where it is one of a model's."""
    kinds = {
        **dict.fromkeys(("loss", "accuracy", "learning_rate"), "history"),
        **dict.fromkeys(("reliability", "confidence"), "calibration"),
        **dict.fromkeys(("precision_recall", "robustness"), ""),
    }
    if name not in kinds:
        return name
    return f"{kinds[name] or name} attention_residual"


def _fields(spec: object) -> set[str]:
    if isinstance(spec, list):
        return set().union(*(_fields(each) for each in spec))
    if not isinstance(spec, dict):
        return set()
    own = {spec["field"]} if isinstance(spec.get("field"), str) else set()
    return own.union(*(_fields(each) for key, each in spec.items() if key != "datasets"))
