"""Two trainings of one recipe on different machines: do their answers differ by more than chance?

On another processor the last digits differ and training amplifies them: what comes out is like another seed.
Of two such networks each gets some samples right that the other does not. If these are as many on either
side, up to chance, the difference of their accuracies on the same n samples has a standard error of
sqrt(d / n), d being the share of samples that just one of them gets right. Allowed are two half-widths of the
95 % paired interval, 3.9 standard errors: of 13 models one exceeds that by chance in one run of a thousand.

That trainings differ by no more than that was measured on 12 recipes of the sample that were trained twice,
in different versions of the code: their accuracies on 560 samples differed by at most 5.0 points, and 1.3
half-widths. Macro-F1 reached 1.7, of a network near chance, where it depends on what that calls every face:
it is shown and not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.metrics import scores, summarize
from ferflow.evaluation.outcomes import Outcomes, join
from ferflow.evaluation.significance import Difference, pair_counts, paired_differences
from ferflow.labels import EMOTIONS

_HALF_WIDTHS: Final = 2.0
_ROUNDING: Final = (
    2e-6  # metrics.json has six digits; a sum in another order may round the last one differently
)
_IDENTITY: Final = ["sample_id", "split", "label"]


@dataclass(frozen=True)
class Pair:
    """A model as it was committed and as it is now.

    Args:
        model: Its name.
        equal: Whether all of its answers are equal bytes.
        samples: Number of samples of validation and test together.
        committed: `accuracy` and `macro_f1` on test, as committed.
        now: The same now.
        difference: Now minus committed, of the accuracy on validation and test together.
        allowed: Largest size of that difference which chance explains.
    """

    model: str
    equal: bool
    samples: int
    committed: dict[str, float]
    now: dict[str, float]
    difference: Difference
    allowed: float

    @property
    def within(self) -> bool:
        """Whether chance explains the difference."""
        return abs(self.difference.value) <= self.allowed


def compare_answers(model: str, committed: pd.DataFrame, now: pd.DataFrame) -> Pair:
    """Return how a model's answers differ from the committed ones, joined by sample id.

    Args:
        model: Its name.
        committed: The committed table of predictions.
        now: The new one.

    Raises:
        FerflowError: They are of other samples, or one of them is no table of predictions.
    """
    identities = [table[_IDENTITY].sort_values("sample_id", ignore_index=True) for table in (committed, now)]
    if not identities[0].equals(identities[1]):
        raise FerflowError(
            f"{model}: the committed predictions are of other samples, labels or splits than those of "
            "this run: commit the results of `make repro`."
        )
    before, after = (join(table, table[_IDENTITY]) for table in (committed, now))
    counts = pair_counts(
        np.concatenate([each.actual for each in before.values()]),
        np.concatenate([each.predicted for each in after.values()]),
        np.concatenate([each.predicted for each in before.values()]),
        len(EMOTIONS),
    )
    difference = paired_differences(counts)["accuracy"]
    value = difference.value
    half_width = value - difference.low if value > 0 else difference.high - value
    return Pair(
        model=model,
        equal=committed.equals(now),
        samples=len(committed),
        committed=_shown(before["test"]),
        now=_shown(after["test"]),
        difference=difference,
        allowed=_HALF_WIDTHS * half_width,
    )


def stale_metrics(metrics: dict[str, Any], predictions: pd.DataFrame) -> list[str]:
    """Return the names of metrics that are not what a table of predictions gives.

    Args:
        metrics: The content of metrics.json.
        predictions: The predictions that it should be of.
    """
    expected = summarize(join(predictions, predictions[_IDENTITY]))
    return sorted(
        f"{split}.{name}"
        for split, values in expected.items()
        for name, value in values.items()
        if not (isinstance(found := metrics.get(split), dict) and _close(found.get(name), value))
    )


def _close(found: object, expected: float) -> bool:
    return isinstance(found, int | float) and abs(found - expected) <= _ROUNDING


def _shown(outcomes: Outcomes) -> dict[str, float]:
    of_test = scores(outcomes)
    return {name: of_test[name] for name in ("accuracy", "macro_f1")}
