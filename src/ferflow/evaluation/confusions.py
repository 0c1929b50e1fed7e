"""Which emotion is taken for which: counts, and the tables that are written of them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.evaluation.outcomes import Outcomes
from ferflow.evaluation.rounding import DIGITS
from ferflow.labels import EMOTIONS

_SHAPE: Final = (len(EMOTIONS), len(EMOTIONS))


def confusion_counts(outcomes: Outcomes) -> npt.NDArray[np.int64]:
    """Return the `(7, 7)` counts of one split: rows are the actual, columns the predicted emotions."""
    cells = np.ravel_multi_index((outcomes.actual, outcomes.predicted), _SHAPE)
    return np.bincount(cells, minlength=_SHAPE[0] * _SHAPE[1]).reshape(_SHAPE).astype(np.int64)


def confusion_table(outcomes: Outcomes) -> pd.DataFrame:
    """Return `actual` and `predicted` emotions, a row per sample in the order of the sample ids.

    DVC's `confusion` plot template counts the pairs.
    """
    names = np.array(EMOTIONS, dtype=object)
    return pd.DataFrame({"actual": names[outcomes.actual], "predicted": names[outcomes.predicted]})


def top_confusions(counts: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return the errors by kind, the most frequent first: what is taken for what, and how often.

    Args:
        counts: Shape `(7, 7)`; rows are the actual, columns the predicted emotions.

    Returns:
        `actual`, `predicted`, `count` (1 or more) and `share` of the actual emotion's samples, in (0, 1];
        of equal counts the one with the larger share is first. No row if there is no error.
    """
    actual, predicted = np.nonzero(counts * ~np.eye(len(EMOTIONS), dtype=bool))
    count = counts[actual, predicted]
    share = count / counts.sum(axis=1)[actual]
    order = np.lexsort((predicted, actual, -share, -count))
    names = np.array(EMOTIONS, dtype=object)
    return pd.DataFrame(
        {
            "actual": names[actual[order]],
            "predicted": names[predicted[order]],
            "count": count[order],
            "share": np.round(share[order], DIGITS),
        }
    )
