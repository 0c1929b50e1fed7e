from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ferflow.page import findings
from ferflow.page.data_inputs import Data
from ferflow.page.inputs import Inputs

from .invented_reports import facts


def test_the_champion_is_compared_with_each_other_model(inputs: Inputs) -> None:
    def said(*differs: bool) -> str:
        return findings.told_apart(replace(inputs, comparisons=inputs.comparisons.assign(differs=differs)))

    # The rows are the champion with cnn4, the champion with vgg16_full, cnn4 with vgg16_full.
    assert said(True, True, False) == "On test the champion differs from 2 other models."
    assert said(False, True, True) == (
        "On test the champion differs from one other model; it is not told apart from cnn4."
    )
    assert said(False, False, True) == (
        "On test the champion is not told apart from any other model (cnn4 and vgg16_full)."
    )
    alone = replace(inputs, comparisons=inputs.comparisons.iloc[:0])
    assert findings.told_apart(alone) == "There is no other model to compare it with."


def test_an_emotion_without_images_is_not_the_weakest(inputs: Inputs) -> None:
    table = inputs.champion.per_class.copy()
    lowest = table["label"] == "disgust"
    table.loc[lowest, ["f1", "support"]] = [0.0, 0]
    assert "disgust" not in findings.weakest(replace(inputs.champion, per_class=table))
    table.loc[lowest, "support"] = 7
    assert "worst at disgust (F1 0.000, 7 images)" in findings.weakest(
        replace(inputs.champion, per_class=table)
    )


def test_confusions_are_named_with_their_share(inputs: Inputs) -> None:
    pairs = pd.DataFrame({"actual": ["fear"], "predicted": ["surprise"], "count": [12], "share": [0.3]})
    model = replace(inputs.champion, top_confusions=pairs)
    assert findings.confusions(model) == "It most often takes fear for surprise (12, 30.0% of fear)."
    assert "nothing" in findings.confusions(replace(model, top_confusions=pairs.iloc[:0]))
    assert "not counted" in findings.confusions(replace(model, top_confusions=None))


def test_what_harms_most_and_least_is_named(inputs: Inputs) -> None:
    said = findings.robustness(inputs.champion)
    assert "over 10 kinds of damage" in said
    assert "Most harmful is JPEG" in said
    assert "least noise" in said
    assert findings.robustness(replace(inputs.champion, robustness=None)) == (
        "It was not measured on damaged images."
    )


def test_a_model_that_was_not_timed_says_so(inputs: Inputs) -> None:
    assert "1.50 ms at batch 1 and 0.400 ms at batch 64 on cpu" in findings.cost(inputs.champion)
    assert findings.cost(replace(inputs.champion, cost=None)).endswith("Its speed was not measured.")


def test_copies_say_what_leaks_before_and_after_cleaning(inputs: Inputs) -> None:
    said = " ".join(findings.copies(inputs.data))
    assert (
        "9 images stand in the data more than once (20 samples), 2 of them under more than one label" in said
    )
    assert "3 between train and validation and 1 between validation and test" in said
    assert said.endswith("no image is in two of them.")


def test_copies_that_still_leak_are_said() -> None:
    content = facts()
    content["copies_used"]["across"]["train_test"] = {"groups": 5, "samples": 6}
    assert "5 images still leak" in " ".join(findings.copies(Data.model_validate(content)))


def test_what_the_gate_found_is_a_share_or_a_value(inputs: Inputs) -> None:
    assert findings.observed(inputs.gate.remarks[0]) == "11 of 2,000 (0.5%)"
    assert findings.observed(inputs.gate.results[1]) == "not checked"
