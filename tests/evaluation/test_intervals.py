from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ferflow.evaluation.class_scores import class_scores
from ferflow.evaluation.intervals import intervals, wilson

# Of a network that is right for 58 % of FER-2013's test split: how many of each row are called what.
CONFUSIONS = np.array(
    [
        [225, 8, 64, 29, 80, 12, 73],
        [15, 27, 4, 2, 3, 1, 3],
        [66, 4, 183, 31, 119, 62, 63],
        [25, 1, 20, 741, 35, 16, 41],
        [64, 3, 73, 45, 279, 6, 124],
        [10, 0, 37, 22, 8, 321, 18],
        [50, 1, 37, 50, 133, 10, 345],
    ]
)


def population(share_of_errors: float) -> npt.NDArray[np.float64]:
    """The probabilities of all cells, of a network that makes so many of these errors."""
    errors = share_of_errors * CONFUSIONS * ~np.eye(7, dtype=bool)
    right = np.diag(CONFUSIONS.sum(axis=1) - errors.sum(axis=1))
    return np.asarray((errors + right) / CONFUSIONS.sum(), dtype=np.float64)


def accuracy(counts: npt.NDArray[np.float64]) -> float:
    return float(np.trace(counts) / counts.sum())


def macro_f1(counts: npt.NDArray[np.float64]) -> float:
    return float(np.mean(2 * np.diag(counts) / (counts.sum(axis=0) + counts.sum(axis=1))))


@pytest.mark.parametrize("samples", [280, 3589])
def test_intervals_contain_the_truth_at_their_nominal_rate(samples: int) -> None:
    truth = population(share_of_errors=1)
    found = [intervals(counts) for counts in drawn_splits(truth, samples, splits=600)]
    for metric, value in (("accuracy", accuracy(truth)), ("macro_f1", macro_f1(truth))):
        inside = np.mean([ends[metric].low <= value <= ends[metric].high for ends in found])
        assert inside == pytest.approx(0.95, abs=0.03), metric


def drawn_splits(truth: npt.NDArray[np.float64], samples: int, splits: int) -> npt.NDArray[np.int64]:
    generator = np.random.default_rng(7)
    return generator.multinomial(samples, truth.ravel(), size=splits).reshape(-1, 7, 7)


def test_an_interval_contains_the_score_that_was_measured() -> None:
    for counts in drawn_splits(population(0.7), 40, 60):
        ends = intervals(counts)
        assert ends["accuracy"].low < accuracy(counts) < ends["accuracy"].high
        assert ends["macro_f1"].low < class_scores(counts).f1.mean() < ends["macro_f1"].high


def test_more_samples_make_narrower_intervals() -> None:
    few, many = intervals(CONFUSIONS), intervals(100 * CONFUSIONS)
    for metric in ("accuracy", "macro_f1"):
        width = [ends[metric].high - ends[metric].low for ends in (few, many)]
        assert width[0] / width[1] == pytest.approx(10, rel=0.1)


def test_an_interval_ends_where_the_score_can_go_no_further() -> None:
    perfect = intervals(np.diag([40, 4, 40, 40, 40, 40, 40]))
    assert perfect["accuracy"].high == perfect["macro_f1"].high == 1
    assert 0.95 < perfect["accuracy"].low < 1
    # Four samples of a class are too few to say that it is always found.
    assert 0.8 < perfect["macro_f1"].low < perfect["accuracy"].low
    wrong = intervals(np.roll(np.diag([40] * 7), 1, axis=1))
    assert wrong["accuracy"].low == wrong["macro_f1"].low == 0
    assert 0 < wrong["accuracy"].high < 0.05


def test_that_none_of_a_few_was_found_does_not_say_that_none_can_be() -> None:
    counts = np.diag([60] * 7)
    counts[1] = [4, 0, 0, 0, 0, 0, 0]
    f1 = class_scores(counts).f1.mean()
    assert intervals(counts)["macro_f1"].high > f1 + 0.03


def test_a_class_without_samples_makes_no_interval_wider() -> None:
    counts = np.zeros((7, 7), dtype=np.int64)
    counts[:2, :2] = [[50, 0], [0, 50]]
    assert intervals(counts)["macro_f1"].high == pytest.approx(2 / 7)


def test_equal_counts_have_equal_intervals() -> None:
    assert intervals(CONFUSIONS) == intervals(CONFUSIONS.copy())


def test_wilson_intervals_are_those_of_scipy() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    hits, samples = np.array([0, 1, 30, 45]), np.array([3, 9, 77, 45])
    low, high = wilson(hits / samples, samples)
    for place, (of, total) in enumerate(zip(hits, samples, strict=True)):
        expected = scipy_stats.binomtest(int(of), int(total)).proportion_ci(method="wilson")
        assert (low[place], high[place]) == pytest.approx(tuple(expected), abs=1e-7)
