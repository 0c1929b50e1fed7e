from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from ruamel.yaml import YAML

from ferflow.page.card_html import card_html
from ferflow.page.data_inputs import Data
from ferflow.page.inputs import Inputs, Model
from ferflow.page.model_card import model_card

from .invented_reports import facts

HOSTILE = "<script>alert(1)</script> | `x` [a](javascript:alert(2)) {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def card(inputs: Inputs) -> str:
    return model_card(inputs)


def header(card: str) -> dict[str, Any]:
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(card.split("---\n")[1])
    return values


def test_the_head_is_what_the_hub_reads(card: str, inputs: Inputs) -> None:
    values = header(card)
    assert values["license"] == "mit"
    assert values["library_name"] == "keras"
    assert values["pipeline_tag"] == "image-classification"
    assert values["datasets"] == ["invented"]
    assert values["metrics"] == ["accuracy", "f1"]
    (entry,) = values["model-index"]
    assert entry["name"] == "attention_residual"
    (result,) = entry["results"]
    assert result["dataset"] == {"type": "invented", "name": "invented", "split": "test"}
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == {
        "accuracy": inputs.champion.test.accuracy,
        "f1": inputs.champion.test.macro_f1,
    }


@pytest.mark.parametrize(
    "section",
    [
        *("Model details", "Intended use", "Out-of-scope use", "Bias, risks and limits", "Training data"),
        *("Training procedure", "Evaluation", "How to reproduce"),
    ],
)
def test_every_section_is_there_once(card: str, section: str) -> None:
    assert card.count(f"\n## {section}\n") == 1


def test_the_ethics_of_the_task_are_said(card: str) -> None:
    for words in (
        "What a face shows is not what a person feels",
        "Barrett et al.",
        "Article 5(1)(f)",
        "ethnicity",
    ):
        assert words in card


def test_scores_stand_with_their_intervals(card: str, inputs: Inputs) -> None:
    test = inputs.champion.test
    interval = f"{100 * test.accuracy_low:.1f} to {100 * test.accuracy_high:.1f}%"
    assert re.search(rf"\| accuracy +\| +{100 * test.accuracy:.1f}% \| +{interval} \|", card)


def test_defects_of_the_data_are_said(card: str) -> None:
    for words in (
        "2.5 times the images of neutral",
        "9 images stand in the data more than once",
        "Left out of the splits: 10 (copy of a test image)",
        "Blank images: 2",
        "Could not be used: 1 (not an image)",
        "Warning of the data gate: expected that at most 0.1 % of samples repeat another one's pixels, found",
    ):
        assert words in card


def test_the_recipe_and_the_command_are_whole(card: str) -> None:
    assert "optimizer:\n  name: muon\n  weight_decay: 0.05\n  momentum: null\n" in card
    assert "python -m ferflow.switch dataset=invented budget=quick\nmake repro" in card


@pytest.mark.parametrize(
    ("early_stopping", "words"),
    [(None, "at the end of the last epoch"), ({"patience": 3}, "of its best epoch on the validation split")],
)
def test_the_card_says_which_weights_are_kept(inputs: Inputs, early_stopping: Any, words: str) -> None:
    recipe = (inputs.champion.training.recipe or {}) | {"early_stopping": early_stopping}
    training = inputs.champion.training.model_copy(update={"recipe": recipe})
    assert words in model_card(replace(inputs, models=(replace(inputs.champion, training=training),)))


def test_the_card_is_the_same_every_time(card: str, inputs: Inputs) -> None:
    assert model_card(inputs) == card
    assert card.endswith("\n")
    assert "\n\n\n" not in card


def test_data_without_a_licence_license_nothing(inputs: Inputs) -> None:
    unknown = model_card(replace(inputs, data=Data.model_validate(facts(licence=None))))
    assert header(unknown)["license"] == "other"
    assert header(unknown)["license_name"] == "licence-of-training-data-not-stated"
    assert "not stated by its source" in unknown


def test_a_champion_near_chance_must_not_be_used(card: str, inputs: Inputs) -> None:
    assert "must not be used" not in card
    worst = replace(inputs, models=inputs.models[::-1])
    assert "**This model is near chance and must not be used.**" in model_card(worst)


@pytest.mark.parametrize("dataset", ["sample", "fer2013"])
def test_what_is_known_of_a_data_set_beside_its_files_is_said(inputs: Inputs, dataset: str) -> None:
    words = {"sample": "says nothing about real faces", "fer2013": "about 65% of its labels"}
    assert words[dataset] in model_card(replace(inputs, data=Data.model_validate(facts(dataset))))


def test_what_was_not_measured_is_said(inputs: Inputs) -> None:
    bare = replace(inputs.champion, robustness=None, cost=None, top_confusions=None)
    said = model_card(replace(inputs, models=(bare,)))
    for words in ("not measured on damaged images", "Its speed was not measured"):
        assert words in said


def test_names_of_others_are_neither_markdown_nor_templates(inputs: Inputs) -> None:
    content = facts(licence=HOSTILE)
    content["origin"]["source"] = HOSTILE
    content["defects"][0]["reason"] = HOSTILE
    hostile = model_card(replace(inputs, data=Data.model_validate(content)))
    assert "{{ 7 * 7 }}" in hostile
    html = str(card_html(hostile))
    assert "<script" not in html
    assert 'href="javascript' not in html


def test_on_a_page_the_title_is_below_a_section_and_the_head_is_not_shown(card: str) -> None:
    html = str(card_html(card))
    assert re.findall(r"<h(\d)>", html)[:2] == ["3", "4"]
    assert "pipeline_tag" not in html
    assert (
        html.count("<table>") == html.count("</table>\n</div>") == html.count('class="scroll" tabindex="0"')
    )


def test_html_in_a_card_is_shown_and_not_obeyed() -> None:
    html = str(card_html("---\na: 1\n---\n\n# <img src=x onerror=alert(1)>\n\n<script>alert(1)</script>\n"))
    assert "<img" not in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_several_views_are_said(inputs: Inputs) -> None:
    model: Model = inputs.champion
    views = model.about.evaluate.model_copy(update={"horizontal_flip": True, "shift": 2})
    about = model.about.model_copy(update={"views": 10, "evaluate": views})
    said = model_card(replace(inputs, models=(replace(model, about=about),)))
    assert "mean over 10 views of the image: mirrored too, moved by 2 pixels in four directions." in said
