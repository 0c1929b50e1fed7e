from __future__ import annotations

import numpy as np
import pytest

from ferflow.training.sampling import epoch_order

# Ten, forty and two samples of three classes; the class between has none.
LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 3], [10, 40, 2])).astype("int32")


def counts(order: object) -> list[int]:
    return [int(count) for count in np.bincount(LABELS[np.asarray(order)], minlength=4)]


def test_naturally_every_sample_is_visited_once() -> None:
    assert sorted(epoch_order(LABELS, 52, seed=1, epoch=0)) == list(range(52))
    part = epoch_order(LABELS, 20, seed=1, epoch=0)
    assert len(set(part)) == 20


@pytest.mark.parametrize("size", [52, 51, 12, 3])
def test_balanced_every_class_is_visited_equally_often(size: int) -> None:
    order = epoch_order(LABELS, size, seed=1, epoch=0, balanced=True)
    drawn = counts(order)
    assert len(order) == size and drawn[2] == 0
    assert max(drawn) - min(drawn[:2] + drawn[3:]) <= 1


def test_balanced_no_sample_is_repeated_before_all_of_its_class_are_drawn() -> None:
    visits = np.bincount(epoch_order(LABELS, 51, seed=1, epoch=0, balanced=True), minlength=52)
    per_class = {label: np.unique(visits[label == LABELS]).tolist() for label in (0, 1, 3)}
    assert per_class == {0: [1, 2], 1: [0, 1], 3: [8, 9]}


def test_the_class_that_has_one_more_is_not_always_the_same() -> None:
    shares = {tuple(counts(epoch_order(LABELS, 4, seed=1, epoch=e, balanced=True))) for e in range(20)}
    assert len(shares) == 3


def test_balanced_classes_are_shuffled_together() -> None:
    order = epoch_order(LABELS, 51, seed=1, epoch=0, balanced=True)
    assert all(len(set(LABELS[order[start : start + 17]])) == 3 for start in (0, 17, 34))


@pytest.mark.parametrize("balanced", [False, True])
def test_the_seed_and_the_epoch_decide_the_order(balanced: bool) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return list(epoch_order(LABELS, 50, seed=seed, epoch=epoch, balanced=balanced))

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_epochs_together_visit_every_sample_of_a_common_class() -> None:
    visited = np.concatenate([epoch_order(LABELS, 51, seed=1, epoch=e, balanced=True) for e in range(12)])
    assert set(visited.tolist()) == set(range(52))
