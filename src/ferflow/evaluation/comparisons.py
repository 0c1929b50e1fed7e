"""Every pair of models on the same test samples: which differences are real."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import Outcomes
from ferflow.evaluation.rounding import DIGITS
from ferflow.evaluation.significance import holm, mcnemar, pair_counts, paired_differences
from ferflow.labels import EMOTIONS

#: Below this a difference is called real.
SIGNIFICANCE: Final = 0.05

_METRICS: Final = ("accuracy", "macro_f1")
_COLUMNS: Final[dict[str, str]] = {
    "model_a": "str",
    "model_b": "str",
    "samples": "int64",
    **{f"{metric}_difference{end}": "float64" for metric in _METRICS for end in ("", "_low", "_high")},
    "only_a_right": "int64",
    "only_b_right": "int64",
    "p_value": "float64",
    "p_value_holm": "float64",
    "differs": "bool",
}


def compare(outcomes: Mapping[str, Outcomes]) -> pd.DataFrame:
    """Return one row per pair of models, each a before b in the order of `outcomes`.

    `p_value` is of McNemar's exact test, `p_value_holm` the same with Holm's correction over all pairs;
    where that is below `SIGNIFICANCE`, `differs` is true: one of the two gets more samples right. The
    differences are a minus b, with 95 % intervals of the paired bootstrap, which are not corrected.

    Args:
        outcomes: For each model its outcomes on one and the same split, in the leaderboard's order.

    Returns:
        `model_a`, `model_b`, `samples`, `accuracy_difference`, `accuracy_difference_low`,
        `accuracy_difference_high`, the same three of `macro_f1`, `only_a_right`, `only_b_right`, `p_value`,
        `p_value_holm`, `differs`; no row if there is but one model.

    Raises:
        FerflowError: The models were not measured on the same samples and labels.
    """
    check_same_samples(outcomes)
    rows = [_pair(a, b, outcomes[a], outcomes[b]) for a, b in combinations(outcomes, 2)]
    corrected = holm([row["p_value"] for row in rows])
    for row, value in zip(rows, corrected, strict=True):
        row["differs"] = bool(value < SIGNIFICANCE)
        row["p_value"], row["p_value_holm"] = _significant(row["p_value"]), _significant(float(value))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def check_same_samples(outcomes: Mapping[str, Outcomes]) -> None:
    """Raise a FerflowError unless all models were measured on the same samples under the same labels."""
    if not outcomes:
        return
    first, reference = next(iter(outcomes.items()))
    for name, other in outcomes.items():
        odd = np.setxor1d(reference.sample_id.astype(str), other.sample_id.astype(str))
        if len(odd):
            raise _differ(first, name, "measured on different samples", odd)
        relabelled = reference.sample_id[reference.actual != other.actual]
        if len(relabelled):
            raise _differ(first, name, "measured against different labels", relabelled)


def _differ(first: str, second: str, problem: str, ids: npt.NDArray[Any]) -> FerflowError:
    examples = ", ".join(map(str, ids[:3]))
    return FerflowError(
        f"predictions of {first} and {second}: {problem} ({len(ids):,} sample id(s), e.g. {examples}); "
        "run `dvc repro`."
    )


def _pair(name_a: str, name_b: str, a: Outcomes, b: Outcomes) -> dict[str, Any]:
    right_a, right_b = a.predicted == a.actual, b.predicted == b.actual
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    counts = pair_counts(a.actual, a.predicted, b.predicted, len(EMOTIONS))
    row: dict[str, Any] = {"model_a": name_a, "model_b": name_b, "samples": len(a.actual)}
    for metric, difference in paired_differences(counts).items():
        for end, value in zip(("", "_low", "_high"), difference, strict=True):
            row[f"{metric}_difference{end}"] = round(value, DIGITS)
    return row | {"only_a_right": only_a, "only_b_right": only_b, "p_value": mcnemar(only_a, only_b)}


def _significant(value: float) -> float:
    """Return a p-value to six significant digits: the smallest ones must not become 0."""
    return float(f"{value:.{DIGITS}g}")
