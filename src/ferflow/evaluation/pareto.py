"""Which models no other one beats in both accuracy and cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd


def pareto_front(ranked: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return for each model whether it is on the Pareto front of test accuracy and FLOPs.

    It is unless another one is at least as accurate and takes no more FLOPs, and is better in one of the two.
    A model near chance is not: a constant answer is as good and takes none. Nor is one without known FLOPs.

    Args:
        ranked: The leaderboard's table, in any order: `test_accuracy`, `flops`, `near_chance`.
    """
    accuracy = ranked["test_accuracy"].to_numpy(dtype=np.float64)
    flops = ranked["flops"].to_numpy(dtype=np.float64, na_value=np.nan)
    able = ~ranked["near_chance"].to_numpy(dtype=bool) & ~np.isnan(flops)
    no_worse = (accuracy[:, None] >= accuracy) & (flops[:, None] <= flops)
    better = (accuracy[:, None] > accuracy) | (flops[:, None] < flops)
    beaten = (no_worse & better & able[:, None]).any(axis=0)
    return np.asarray(able & ~beaten)
