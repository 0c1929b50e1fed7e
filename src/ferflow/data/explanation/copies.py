"""How many images stand in a data set more than once, under which labels and in which splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.data.duplicates import find_duplicates
from ferflow.data.labelled import SPLITS

#: Each pair of splits: the earlier one, and the one whose result its copies would flatter.
PAIRS: Final = (("train", "val"), ("train", "test"), ("val", "test"))


@dataclass(frozen=True, slots=True)
class Crossing:
    """What two splits have in common.

    Attributes:
        groups: Groups of equal images with members in both.
        samples: Samples of the later split that are in such a group.
    """

    groups: int
    samples: int


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies in a set of samples. A group is all samples with the same pixels.

    Attributes:
        groups: Groups of two samples or more.
        samples: Samples in these groups.
        redundant: Samples that would have to go so that each image stands once.
        largest: Samples in the largest group; 1 where there are no copies.
        contradictory: Groups under two labels or more.
        contradictory_samples: Samples in these groups.
        within: For each split, its samples that would have to go so that each image stands in it once.
        across: For each pair of splits, e.g. `train_val`, what they have in common.
    """

    groups: int
    samples: int
    redundant: int
    largest: int
    contradictory: int
    contradictory_samples: int
    within: dict[str, int]
    across: dict[str, Crossing]


def count_copies(sha256: pd.Series, label: pd.Series, split: pd.Series) -> Copies:
    """Return how many of the samples are copies of others.

    Args:
        sha256: Checksum of the pixels of each sample.
        label: The label of each sample, in the same order.
        split: The split of each sample, in the same order; null for samples in none.
    """
    found = find_duplicates(sha256, label)
    copied = found.size > 1
    place = split.to_numpy(dtype=object)
    members = {name: place == name for name in SPLITS}
    reached = {name: found.in_split(place, name) for name in SPLITS}
    return Copies(
        groups=_distinct(found.group[copied]),
        samples=int(copied.sum()),
        redundant=len(sha256) - _distinct(found.group),
        largest=int(found.size.max(initial=1)),
        contradictory=_distinct(found.group[found.contradictory]),
        contradictory_samples=int(found.contradictory.sum()),
        within={name: int(members[name].sum()) - _distinct(found.group[members[name]]) for name in SPLITS},
        across={
            f"{earlier}_{later}": Crossing(
                groups=_distinct(found.group[reached[earlier] & reached[later]]),
                samples=int((members[later] & reached[earlier]).sum()),
            )
            for earlier, later in PAIRS
        },
    )


def _distinct(groups: npt.NDArray[np.int64]) -> int:
    return int(np.unique(groups).size)
