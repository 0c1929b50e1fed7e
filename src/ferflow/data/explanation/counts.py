"""How many samples of each emotion: as the source declares them, and as they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from ferflow.data.labelled import SPLITS
from ferflow.labels import EMOTIONS

#: The column for samples without a split: no split is declared for them, or they are left out.
NONE: Final = "none"

#: A table of counts: for each row's name, the count in train, val, test and in none of them.
Counts = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Balance:
    """The largest and the smallest class of the train split.

    Attributes:
        largest: Emotion with the most samples.
        smallest: Emotion with the fewest.
        ratio: Samples of the one for each sample of the other; None where the smallest has none.
    """

    largest: str
    smallest: str
    ratio: float | None


def counts_by(name: pd.Series, split: pd.Series, rows: Sequence[str]) -> Counts:
    """Return the number of samples of each name in each split.

    Args:
        name: What is counted, for each sample, e.g. its label.
        split: The split of each sample, in the same order; null for samples in none.
        rows: The names in their order; those that no sample has get zeros.
    """
    found = pd.DataFrame({"name": name.array, "split": split.fillna(NONE).array}).value_counts()
    return {row: {column: int(found.get((row, column), 0)) for column in (*SPLITS, NONE)} for row in rows}


def left_out_by(reason: pd.Series, usage: pd.Series) -> Counts:
    """Return the number of samples left out for each reason and declared split, the commonest first.

    Args:
        reason: Why a sample is in no split; null for samples that are in one.
        usage: The split that the source declares for each sample, in the same order, or null.
    """
    given = reason[reason.notna()]
    often = given.value_counts()
    return counts_by(given, usage[reason.notna()], sorted(often.index, key=lambda why: (-often[why], why)))


def balance(used: Counts) -> Balance:
    """Return the largest and the smallest class of train; of equals, the first in `EMOTIONS`.

    Args:
        used: The counts of each emotion, as they are used.
    """
    train = {emotion: used[emotion]["train"] for emotion in EMOTIONS}
    largest, smallest = max(train, key=train.__getitem__), min(train, key=train.__getitem__)
    ratio = round(train[largest] / train[smallest], 2) if train[smallest] else None
    return Balance(largest, smallest, ratio)


def total(counts: Counts) -> dict[str, int]:
    """Return the sums of all rows."""
    return {column: sum(row[column] for row in counts.values()) for column in (*SPLITS, NONE)}


def counts_table(declared: Counts, used: Counts) -> pd.DataFrame:
    """Return both counts side by side, a row for each emotion.

    Columns: `label`; `declared_train`, `declared_val`, `declared_test` and `declared_none` (no split is
    declared); `train`, `val` and `test` as used; `left_out`.
    """
    return pd.DataFrame(
        [
            {
                "label": emotion,
                **{f"declared_{column}": count for column, count in declared[emotion].items()},
                **{split: used[emotion][split] for split in SPLITS},
                "left_out": used[emotion][NONE],
            }
            for emotion in EMOTIONS
        ]
    )
