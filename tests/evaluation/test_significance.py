from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from ferflow.evaluation.significance import holm, mcnemar, pair_counts, paired_differences

Classes = npt.NDArray[np.intp]


def answers(
    samples: int, seed: int, skills: tuple[float, float] = (0.5, 0.6), classes: int = 7
) -> tuple[Classes, Classes, Classes]:
    generator = np.random.default_rng(seed)
    actual = generator.integers(0, classes, samples)
    a, b = (
        np.where(generator.random(samples) < skill, actual, generator.integers(0, classes, samples))
        for skill in skills
    )
    return actual, a, b


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [
        (0, 0, 1.0),  # two models that are right on the same samples
        (5, 5, 1.0),
        (3, 15, 2 * (1 + 18 + 153 + 816) / 2**18),  # by hand: twice the lower tail of 18 fair coins
        (0, 6, 2 / 2**6),
        # Agresti, "Categorical Data Analysis", approval of a prime minister: 3.716e-05.
        (86, 150, 2 * sum(math.comb(236, k) for k in range(87)) / 2**236),
    ],
)
def test_mcnemar_on_known_cases(only_a: int, only_b: int, p_value: float) -> None:
    assert mcnemar(only_a, only_b) == pytest.approx(p_value, rel=1e-9)
    assert mcnemar(only_b, only_a) == pytest.approx(p_value, rel=1e-9)


@given(only_a=st.integers(0, 400), only_b=st.integers(0, 400))
def test_mcnemar_is_twice_the_tail_of_fair_coins(only_a: int, only_b: int) -> None:
    tail = scipy.stats.binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)
    assert mcnemar(only_a, only_b) == pytest.approx(min(2 * tail, 1.0), rel=1e-7)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        # 4 x 0.005, 3 x 0.01, 2 x 0.03, then 0.04, which may not be below the one before.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.6, 0.4, 0.9], [1.0, 1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
    ],
)
def test_holm_on_cases_by_hand(p_values: list[float], adjusted: list[float]) -> None:
    np.testing.assert_allclose(holm(p_values), adjusted, rtol=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.001, 0.999))
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float], level: float) -> None:
    rejected = np.zeros(len(p_values), dtype=bool)
    for step, place in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[place] * (len(p_values) - step) > level:
            break
        rejected[place] = True
    assert (holm(p_values) <= level).tolist() == rejected.tolist()


@settings(max_examples=20, deadline=None)
@given(samples=st.integers(1, 60), seed=st.integers(0, 1000), classes=st.integers(2, 7))
def test_differences_are_those_of_scikit_learn(samples: int, seed: int, classes: int) -> None:
    actual, a, b = answers(samples, seed, classes=classes)
    found = paired_differences(pair_counts(actual, a, b, classes))
    f1_a, f1_b = (
        f1_score(actual, each, average="macro", labels=range(classes), zero_division=0) for each in (a, b)
    )
    accuracy = accuracy_score(actual, a) - accuracy_score(actual, b)
    assert found["accuracy"].value == pytest.approx(accuracy, abs=1e-12)
    assert found["macro_f1"].value == pytest.approx(f1_a - f1_b, abs=1e-12)


def test_with_many_samples_of_each_class_the_interval_is_that_of_drawing_with_replacement() -> None:
    counts = pair_counts(*answers(3000, seed=4, classes=3), 3)
    drawn = np.random.default_rng(0).multinomial(3000, counts.ravel() / 3000, size=2000).reshape(-1, 3, 3, 3)
    of_a, of_b = drawn.sum(axis=3), drawn.sum(axis=2)
    classical = {metric: score(of_a) - score(of_b) for metric, score in SCORES.items()}
    for metric, difference in paired_differences(counts).items():
        low, high = np.quantile(classical[metric], [0.025, 0.975])
        assert difference.low == pytest.approx(low, abs=0.06 * (high - low))
        assert difference.high == pytest.approx(high, abs=0.06 * (high - low))


def of_hits(confusions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.trace(confusions, axis1=1, axis2=2) / confusions.sum(axis=(1, 2)))


def of_f1(confusions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    hits = np.diagonal(confusions, axis1=1, axis2=2)
    recall, precision = hits / confusions.sum(axis=2), hits / confusions.sum(axis=1)
    return np.asarray((2 * precision * recall / (precision + recall)).mean(axis=1))


SCORES = {"accuracy": of_hits, "macro_f1": of_f1}


def test_intervals_cover_the_true_difference_at_their_rate_also_where_a_class_is_rare() -> None:
    # As in FER-2013: of 280 samples there are four of the second class, and often neither model knows them.
    shares = np.array([0.134, 0.015, 0.147, 0.245, 0.165, 0.121, 0.173])
    generator = np.random.default_rng(1)
    actual = generator.choice(7, 100_000, p=shares)
    a, b = (
        np.where(generator.random(len(actual)) < skill, actual, generator.choice(7, len(actual), p=shares))
        for skill in (0.65, 0.3)
    )
    world = pair_counts(actual, a, b, 7)
    truth = paired_differences(world)
    covered = {"accuracy": 0, "macro_f1": 0}
    trials = 300
    for _ in range(trials):
        sample = generator.multinomial(280, (world / world.sum()).ravel()).reshape(world.shape)
        for metric, difference in paired_differences(sample).items():
            covered[metric] += difference.low <= truth[metric].value <= difference.high
    for metric, count in covered.items():
        assert count / trials == pytest.approx(0.95, abs=0.03), metric


def test_of_two_equal_models_it_is_open_which_is_better() -> None:
    actual, a, _ = answers(50, seed=2)
    for difference in paired_differences(pair_counts(actual, a, a, 7)).values():
        assert difference.value == 0
        assert difference.low == pytest.approx(-difference.high)
        assert 0 < difference.high < 0.1


def test_swapped_models_swap_the_sign_of_the_difference() -> None:
    actual, a, b = answers(400, seed=6)
    one, other = (paired_differences(pair_counts(actual, *pair, 7)) for pair in ((a, b), (b, a)))
    for metric, difference in one.items():
        width = difference.high - difference.low
        assert other[metric].value == pytest.approx(-difference.value)
        assert other[metric].low == pytest.approx(-difference.high, abs=0.08 * width)


def test_pair_counts_are_by_truth_then_a_then_b() -> None:
    counts = pair_counts(np.array([0, 1, 1]), np.array([2, 1, 1]), np.array([1, 0, 0]), 3)
    assert counts[0, 2, 1] == 1
    assert counts[1, 1, 0] == 2
    assert counts.sum() == 3
