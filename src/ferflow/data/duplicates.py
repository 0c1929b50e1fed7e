"""Which samples are the same image: equal pixels, whatever their names, labels and splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Samples grouped by their pixels; each array has one entry for each sample, in the samples' order.

    Attributes:
        group: Number of the group of samples with the same pixels, int64, in order of appearance.
        size: Number of samples in that group, int64; 1 for an image without copies.
        contradictory: Whether the group stands under more than one label, bool.
    """

    group: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    contradictory: npt.NDArray[np.bool_]

    def in_split(self, split: npt.NDArray[np.object_], name: str) -> npt.NDArray[np.bool_]:
        """Return for each sample whether its group has a sample in the split `name`, itself included.

        Args:
            split: The split of each sample as an object array in the same order; None for samples in none.
            name: "train", "val" or "test".
        """
        members = np.zeros(self.group.max(initial=-1) + 1, dtype=bool)
        members[self.group[split == name]] = True
        return members[self.group]


def find_duplicates(sha256: pd.Series, label: pd.Series) -> Duplicates:
    """Return the groups of samples whose pixels are equal.

    Args:
        sha256: Checksum of the pixels of each sample.
        label: The label of each sample, in the same order.
    """
    group = pd.factorize(sha256)[0].astype(np.int64)
    size = np.bincount(group)[group]
    label_code = pd.factorize(label)[0]
    groups = size.size and group.max() + 1
    first_label = np.full(groups, -1)
    first_label[group[::-1]] = label_code[::-1]
    differs = np.zeros(groups, dtype=bool)
    differs[group[label_code != first_label[group]]] = True
    return Duplicates(group=group, size=size.astype(np.int64), contradictory=differs[group])
