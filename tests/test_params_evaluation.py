from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ferflow.params.evaluation import EnsembleParams, ProbeParams, RobustnessParams
from ferflow.params.explain import explain

QUICK = {"samples": 56, "severities": [2, 4]}
FULL = {"samples": 700, "severities": [1, 2, 3, 4, 5]}


def test_each_budget_has_its_probe() -> None:
    params = RobustnessParams.model_validate({"quick": QUICK, "full": FULL})
    assert (params.of("quick").samples, params.of("full").samples) == (56, 700)
    assert params.of("quick").severities == [2, 4]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"severities": []}, "severities: at least one severity"),
        ({"severities": [4, 2]}, "severities: at least one severity, each once, lowest first (found [4, 2])"),
        ({"severities": [2, 2]}, "severities: at least one severity, each once"),
        ({"severities": [0, 1]}, "severities.0: Input should be greater than or equal to 1"),
        ({"severities": [5, 6]}, "severities.1: Input should be less than or equal to 5"),
        ({"severities": [2.0]}, "severities.0: Input should be a valid integer"),
        ({"severities": 3}, "severities: Input should be a valid list"),
        # A probe without an image of every emotion would have no macro-F1.
        ({"samples": 6}, "samples: Input should be greater than or equal to 7"),
        ({"levels": [1]}, "levels: unknown key"),
    ],
)
def test_what_cannot_be_measured_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as error:
        ProbeParams.model_validate(QUICK | changes)
    assert f"params.yaml: {problem}" in explain(error.value)


def test_both_budgets_are_needed() -> None:
    with pytest.raises(ValidationError) as error:
        RobustnessParams.model_validate({"quick": QUICK})
    assert "full: this key is missing" in explain(error.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({}, "either `members` or `greedy` says which models vote"),
        ({"members": ["a", "b"], "greedy": {"rounds": 2}}, "either `members` or `greedy`"),
        ({"members": ["a"]}, "members: at least two models, each once (found ['a'])"),
        ({"members": ["a", "a"]}, "members: at least two models, each once"),
        ({"greedy": {"rounds": 0}}, "greedy.rounds: Input should be greater than or equal to 1"),
        ({"greedy": {"rounds": 2, "candidates": []}}, "greedy.candidates: at least two models"),
        ({"greedy": {"round": 2}}, "greedy.round: unknown key; did you mean 'rounds'?"),
    ],
)
def test_an_ensemble_is_chosen_in_one_way(content: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as error:
        EnsembleParams.model_validate(content)
    assert problem in explain(error.value)
