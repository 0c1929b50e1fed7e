"""Which samples an epoch trains on, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]


def epoch_order(
    labels: npt.NDArray[np.int32], size: int, *, seed: int, epoch: int, balanced: bool = False
) -> Positions:
    """Return the positions in `labels` that an epoch visits, in their order.

    Args:
        labels: int32 of shape (n,), the class of each sample.
        size: How many to visit.
        seed: Decides, with the epoch, which and in which order.
        epoch: Counts from 0.
        balanced: Visit every class equally often, up to one. A class with fewer samples than its
            share is visited again from its start only once all its samples were. Otherwise every
            sample is visited at most once.

    Returns:
        int64 of shape (size,).
    """
    generator = np.random.default_rng([seed, epoch])
    if not balanced:
        return generator.permutation(len(labels))[:size]
    classes = generator.permutation(np.unique(labels))
    # The order of classes is random, so that none always has the one more.
    shares = [size // len(classes) + (number < size % len(classes)) for number in range(len(classes))]
    drawn = [
        _draw(np.flatnonzero(labels == label), share, generator)
        for label, share in zip(classes, shares, strict=True)
    ]
    return generator.permutation(np.concatenate(drawn))


def visited_positions(
    labels: npt.NDArray[np.int32],
    samples_per_epoch: int | None,
    *,
    seed: int,
    epochs: Iterable[int],
    balanced: bool = False,
) -> Positions:
    """Return the positions in `labels` that any of some epochs visits, each once, sorted as int64.

    Args:
        labels: int32 of shape (n,), the class of each sample.
        samples_per_epoch: How many an epoch visits at most; None for all.
        seed: As for `epoch_order`.
        epochs: At least one.
        balanced: As for `epoch_order`.
    """
    size = epoch_size(len(labels), samples_per_epoch)
    return np.unique(
        np.concatenate(
            [epoch_order(labels, size, seed=seed, epoch=epoch, balanced=balanced) for epoch in epochs]
        )
    )


def epoch_size(count: int, samples_per_epoch: int | None) -> int:
    """Return how many of `count` samples an epoch visits."""
    return min(count, samples_per_epoch or count)


def _draw(members: Positions, count: int, generator: np.random.Generator) -> Any:
    """Return `count` of `members`, none of them twice before all of them once."""
    rounds = -(-count // len(members))
    return np.concatenate([generator.permutation(members) for _ in range(max(rounds, 1))])[:count]
