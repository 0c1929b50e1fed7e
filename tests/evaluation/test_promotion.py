from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from ferflow.evaluation.promotion import Contender, decide, same_samples
from ferflow.labels import EMOTIONS
from ferflow.params.explain import explain
from ferflow.params.promotion import COSTS, PromotionParams, RuleParams

SAMPLES = 280
LABELS = [EMOTIONS[number % len(EMOTIONS)] for number in range(SAMPLES)]

GAIN: dict[str, Any] = {"minimum_improvement": 0.0}
CLEAR_GAIN: dict[str, Any] = {"minimum_improvement": 0.05}
REAL_GAIN: dict[str, Any] = {"significant_improvement": 0.0}
CHEAPER: dict[str, Any] = {"not_worse_and_cheaper": {"times": 2.0, "cost": "flops"}}


def _contender(right: int, flops: float | None = None) -> Contender:
    """A model that is right about the first so many samples."""
    wrong = [EMOTIONS[(EMOTIONS.index(label) + 1) % len(EMOTIONS)] for label in LABELS]
    answers = pd.DataFrame(
        {
            "sample_id": [f"{number:04d}" for number in range(SAMPLES)],
            "label": LABELS,
            "predicted": [*LABELS[:right], *wrong[right:]],
        }
    )
    return Contender(answers, {} if flops is None else {COSTS["flops"]: flops})


@pytest.mark.parametrize(
    ("rules", "candidate", "champion", "expected"),
    [
        # Of 280 samples one is a gain of 0.0036 and ten are one of 0.036; 196 are right of both at 0.7.
        pytest.param([GAIN], (197, None), (196, None), "minimum_improvement 0", id="one sample more"),
        pytest.param([GAIN], (196, None), (196, None), None, id="a tie"),
        pytest.param([GAIN], (195, None), (196, None), None, id="one sample less"),
        pytest.param([CLEAR_GAIN], (206, None), (196, None), None, id="a gain that is too small"),
        pytest.param([CLEAR_GAIN], (214, None), (196, None), "minimum_improvement 0.05", id="large enough"),
        pytest.param([REAL_GAIN], (197, None), (196, None), None, id="a gain that may be luck"),
        pytest.param([REAL_GAIN], (216, None), (196, None), "significant_improvement 0", id="no luck"),
        pytest.param([REAL_GAIN], (196, None), (196, None), None, id="a tie is not significant"),
        pytest.param(
            [CHEAPER], (196, 50), (196, 100), "not_worse_and_cheaper 2 times by flops", id="half as dear"
        ),
        pytest.param(
            [CHEAPER], (195, 50), (196, 100), "not_worse_and_cheaper 2 times by flops", id="worse by luck"
        ),
        pytest.param([CHEAPER], (176, 10), (196, 100), None, id="cheap and really worse"),
        pytest.param([CHEAPER], (200, 51), (196, 100), None, id="better, not cheap enough"),
        pytest.param([CHEAPER], (196, None), (196, 100), None, id="its cost is unknown"),
        pytest.param([CHEAPER], (196, 50), (196, None), None, id="the champion's cost is unknown"),
        pytest.param(
            [REAL_GAIN, CHEAPER],
            (196, 50),
            (196, 100),
            "not_worse_and_cheaper 2 times by flops",
            id="any rule is enough",
        ),
        pytest.param([REAL_GAIN, CLEAR_GAIN], (200, None), (196, None), None, id="none of two"),
        pytest.param([GAIN, REAL_GAIN], (216, None), (196, None), "minimum_improvement 0", id="the first"),
    ],
)
def test_rules(
    rules: list[dict[str, Any]],
    candidate: tuple[int, float | None],
    champion: tuple[int, float | None],
    expected: str | None,
) -> None:
    params = PromotionParams.model_validate({"rules": rules, "challenger": True})
    verdict = decide(params.rules, _contender(*candidate), _contender(*champion))
    assert verdict.rule == expected
    assert verdict.difference.low <= verdict.difference.value <= verdict.difference.high
    assert verdict.difference.value == pytest.approx(verdict.candidate - verdict.champion, abs=1e-6)
    assert verdict.candidate == pytest.approx(candidate[0] / SAMPLES, abs=0.01)


def test_the_order_of_the_answers_does_not_matter() -> None:
    rules = [RuleParams(minimum_improvement=0.0)]
    candidate, champion = _contender(210), _contender(196)
    shuffled = Contender(champion.answers.sample(frac=1, random_state=1), {})
    assert decide(rules, candidate, shuffled) == decide(rules, candidate, champion)


def test_only_the_same_samples_and_labels_compare() -> None:
    ours = _contender(100).answers
    others = ours.assign(sample_id=ours["sample_id"].str.replace("0", "9"))
    relabelled = ours.assign(label=[*ours["label"][:-1], "happy"])
    assert same_samples(ours, ours.iloc[::-1])
    rules = [RuleParams(minimum_improvement=0.0)]
    for other in (others, relabelled, ours.iloc[1:], ours.iloc[:0]):
        assert not same_samples(ours, other)
        with pytest.raises(ValueError, match="not about the same validation samples"):
            decide(rules, Contender(ours, {}), Contender(other, {}))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"rules": []}, "rules: List should have at least 1 item"),
        (
            {"rules": [{}]},
            "rules.0: a rule is one of minimum_improvement, significant_improvement, not_worse",
        ),
        ({"rules": [GAIN | REAL_GAIN]}, "rules.0: a rule is one of"),
        ({"rules": [{"minimum_improvement": None}]}, "rules.0: a rule is one of"),
        ({"rules": [{"minimum_improvment": 0.0}]}, "did you mean 'minimum_improvement'?"),
        ({"rules": [{"minimum_improvement": -0.1}]}, "rules.0.minimum_improvement: Input should be greater"),
        (
            {"rules": [{"not_worse_and_cheaper": {"times": 1, "cost": "flops"}}]},
            "times: Input should be greater",
        ),
        ({"rules": [{"not_worse_and_cheaper": {"times": 2, "cost": "flop"}}]}, "did you mean 'flops'?"),
        ({"challenger": "yes"}, "challenger: Input should be a valid boolean"),
    ],
)
def test_what_is_no_rule_is_refused(content: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as error:
        PromotionParams.model_validate({"rules": [GAIN], "challenger": True} | content)
    assert problem in explain(error.value)
