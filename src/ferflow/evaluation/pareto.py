"""Which models no other one beats in both accuracy and cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def pareto_front(
    costs: npt.ArrayLike, accuracies: npt.ArrayLike, near_chance: npt.ArrayLike
) -> npt.NDArray[np.bool_]:
    """Return for each model whether it is on the Pareto front of accuracy and cost.

    It is unless another one is at least as accurate and costs no more, and is better in one of the two.
    A model near chance is not, and beats nobody: a constant answer is as good and costs nothing.

    Args:
        costs: The known cost of each model in any unit, e.g. FLOPs.
        accuracies: Of the same models.
        near_chance: Whether each is not shown to be better than a constant answer.
    """
    cost, accuracy = (np.asarray(values, dtype=np.float64) for values in (costs, accuracies))
    able = ~np.asarray(near_chance, dtype=bool)
    no_worse = (accuracy[:, None] >= accuracy) & (cost[:, None] <= cost)
    better = (accuracy[:, None] > accuracy) | (cost[:, None] < cost)
    beaten = (no_worse & better & able[:, None]).any(axis=0)
    return np.asarray(able & ~beaten)
