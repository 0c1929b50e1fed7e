from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest

from ferflow.files import read_table, write_csv
from ferflow.page.data_inputs import Data
from ferflow.page.inputs import Inputs, TrainingTime
from ferflow.page.model_card import model_card
from ferflow.page.render import json_for_script, page_html, write_page

from .conftest import read
from .invented_reports import Reports, facts

HOSTILE: Final = "</script><script>alert('1')</script>\"><img src=x onerror=alert(2)>&"
VOID: Final = {"meta", "img", "input", "br", "hr", "link", "wbr"}


class Page(HTMLParser):
    """The tags of a page with their attributes, its scripts and its text; tags must be nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} is not nested"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def rendered(inputs: Inputs) -> str:
    return page_html(inputs, model_card(inputs))


@pytest.fixture(scope="module")
def html(inputs: Inputs) -> str:
    return rendered(inputs)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_page_is_the_same_every_time_and_wherever_it_is_made(
    html: str, reports: Reports, tmp_path: Path
) -> None:
    found = read(reports)
    write_page(tmp_path / "index.html", found, model_card(found))
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == html
    assert str(tmp_path) not in html


def test_the_order_of_samples_does_not_matter(html: str, reports: Reports) -> None:
    path = reports.of("cnn4") / "confusion.csv"
    write_csv(path, read_table(path).iloc[::-1])
    assert rendered(read(reports)) == html


def test_nothing_is_fetched(page: Page) -> None:
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "poster", "data"):
            assert (attributes.get(name) or "data:").startswith("data:"), tag
        assert "url(" not in (attributes.get("style") or "")
    assert page.all("link") == []
    assert page.all("iframe") == []


def test_only_our_own_scripts_may_run(html: str, page: Page) -> None:
    (policy,) = [each["content"] for each in page.all("meta") if "http-equiv" in each]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    code = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(code) == 2
    for script in code:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_names_of_others_are_text(inputs: Inputs) -> None:
    content = facts(licence=HOSTILE)
    content["origin"] |= {"source": HOSTILE, "dataset": HOSTILE}
    content["defects"][0]["reason"] = HOSTILE
    robustness = inputs.champion.robustness
    assert robustness is not None
    worded = robustness.assign(corruption=robustness["corruption"].replace("blur", HOSTILE))
    champion = replace(inputs.champion, robustness=worded, architecture=HOSTILE)
    hostile = replace(inputs, models=(champion, *inputs.models[1:]), data=Data.model_validate(content))
    found = Page(rendered(hostile))
    assert len(found.all("script")) == 3
    assert not any(attributes.get("src") == "x" for attributes in found.all("img"))
    assert HOSTILE in found.text
    drawn = json.loads(found.scripts[0])
    assert HOSTILE in drawn["rows"]["robustness attention_residual"]["corruption"]


def test_json_in_a_script_cannot_end_it() -> None:
    value = {"</script>": "<!--&\u2028"}
    text = str(json_for_script(value))
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_every_chart_has_its_rows_and_says_what_it_shows(page: Page) -> None:
    drawn = json.loads(page.scripts[0])
    places = [attributes for _, attributes in page.tags if "data-chart" in attributes]
    assert len(places) == 3 + 3 * 7
    for place in places:
        assert place["data-chart"] in drawn["charts"]
        assert place["data-rows"] in drawn["rows"]
        assert place["role"] == "img"
        assert len(place["aria-label"] or "") > 20


def test_the_page_can_be_read_without_seeing_it(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert len(page.all(landmark)) == 1
    assert all(len(image["alt"] or "") > 20 for image in page.all("img"))
    for attributes in page.all("section"):
        assert attributes["aria-labelledby"] in ids
    for link in page.all("a"):
        target = link["href"] or ""
        assert target.startswith("https://") or target.removeprefix("#") in ids
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for box in [attributes for _, attributes in page.tags if attributes.get("class") == "scroll"]:
        assert (box["tabindex"], box["role"]) == ("0", "region")
        assert box["aria-label"]


def test_only_the_champion_is_open(page: Page) -> None:
    models = [each for each in page.all("details") if each.get("class") == "model"]
    assert [each["id"] for each in models] == ["model-attention_residual", "model-cnn4", "model-vgg16_full"]
    assert ["open" in each for each in models] == [True, False, False]


def test_a_model_near_chance_is_marked(html: str, inputs: Inputs) -> None:
    # In the leaderboard, and in the head and the text of its section.
    assert html.count('<span class="chip warn">near chance</span>') == 2
    assert "do not use this model" not in html
    assert "Near chance: do not use this model." in rendered(replace(inputs, models=inputs.models[::-1]))


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"history": None}, "There are no curves"),
        ({"calibration": None}, "Its calibration was not measured."),
        ({"precision_recall": None}, "curves were not computed"),
        ({"robustness": None}, "It was not measured on damaged images."),
        ({"top_confusions": None}, "Its confusions were not counted."),
        ({"errors": None}, "pictures of people are not kept in git"),
        ({"architecture": None, "architecture_picture": None}, "The architecture was not drawn."),
        ({"cost": None}, "Its speed was not measured."),
    ],
)
def test_what_is_missing_is_said_in_words(inputs: Inputs, missing: dict[str, Any], words: str) -> None:
    bare = replace(inputs, models=(replace(inputs.champion, **missing),))
    assert words in " ".join(Page(rendered(bare)).text.split())


def test_one_model_that_was_asked_nothing_more_is_a_page(inputs: Inputs) -> None:
    names = (
        *("history", "top_confusions", "calibration", "precision_recall", "robustness", "cost"),
        *("architecture", "architecture_picture", "errors"),
    )
    nothing: dict[str, Any] = dict.fromkeys(names)
    bare = replace(inputs.champion, **nothing)
    alone = replace(inputs, models=(bare,), comparisons=inputs.comparisons.iloc[:0])
    text = " ".join(Page(rendered(alone)).text.split())
    assert "1 model on invented, quick budget" in text
    assert "There is one model: nothing to compare it with." in text
    assert "No model was asked about damaged images." in text


def test_an_ensemble_says_whose_vote_it_is_and_how_it_was_chosen(inputs: Inputs) -> None:
    champion = inputs.champion
    weights = {"cnn4": 3.0, "vgg16_full": 1.0}

    def words(chosen: bool) -> str:
        changes = {"members": weights, "architecture": "ensemble", "cross_fitted": chosen}
        about = champion.about.model_copy(update=changes)
        training = champion.training.model_copy(update={"code_sha256": None})
        ensemble = replace(champion, about=about, training=training, history=None, architecture=None)
        return " ".join(Page(rendered(replace(inputs, models=(ensemble, *inputs.models[1:])))).text.split())

    for text in (words(True), words(False)):
        assert "the mean of those of cnn4 (75%) and vgg16_full (25%)" in text
        assert "2 models and 1 ensemble on invented" in text
        assert "known by its fingerprint: the fingerprints of its members" in text
        assert "This model was not trained itself" in text  # in the model card
        assert "There are no curves" not in text
    assert "scored by what was chosen on the other four" in words(True)
    assert "chosen on the other four" not in words(False)


def test_what_is_not_known_of_a_model_is_left_out(inputs: Inputs) -> None:
    champion = inputs.models[0]
    about = champion.about.model_copy(update={"flops": None})
    assert champion.cost
    time = TrainingTime(fingerprint="f", device=None, seconds=None)
    cost = champion.cost.model_copy(update={"training": time})
    unknown = replace(champion, about=about, cost=cost)
    html = rendered(replace(inputs, models=(unknown, *inputs.models[1:])))
    Page(html)
    # Keras writes None itself, for the size of a batch.
    assert "None" not in re.sub(r"<script.*?</script>|<pre\b.*?</pre>", "", html, flags=re.DOTALL)


def test_provenance_is_exact(page: Page, inputs: Inputs) -> None:
    training = inputs.champion.training
    for value in (training.fingerprint, training.data_sha256, training.code_sha256):
        assert value is not None
        assert value in page.text
    assert re.search(r"vl-convert-python \d", " ".join(page.text.split()))
    assert "weight_decay: 0.05" in page.text


def test_a_report_that_changes_changes_the_page(html: str, reports: Reports) -> None:
    history = read_table(reports.of("cnn4") / "history.csv")
    write_csv(reports.of("cnn4") / "history.csv", history.iloc[:-1])
    assert rendered(read(reports)) != html
