"""Which images show what is wrong with a data set: blanks, contradictions, copies in two splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.data.duplicates import Duplicates, find_duplicates
from ferflow.data.explanation.copies import PAIRS
from ferflow.data.explanation.markdown import count
from ferflow.labels import EMOTIONS

_MOST: Final = 12  # images of each defect; three pairs of splits share them evenly


@dataclass(frozen=True, slots=True)
class Name:
    """A sample's name, and its split: the one that the source declares, else the one it is used in."""

    source: str
    split: str | None


@dataclass(frozen=True, slots=True)
class Exhibit:
    """An image that shows a defect.

    Attributes:
        row: Its number in the array of images.
        labels: The labels that it has, in the order of `EMOTIONS`.
        names: Two samples that contradict or repeat each other; one of a blank image without copies.
        samples: Number of samples with these pixels.
    """

    row: int
    labels: tuple[str, ...]
    names: tuple[Name, ...]
    samples: int


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong, how often, and some images that show it.

    Attributes:
        title: What is wrong, in two or three words.
        note: What that means, and how often it occurs.
        exhibits: The images, twelve at most.
    """

    title: str
    note: str
    exhibits: tuple[Exhibit, ...]


def find_worst(samples: pd.DataFrame, split: pd.Series, min_pixel_std: float) -> list[Defect]:
    """Return the defects that the data set has, each with the first images that show it.

    Args:
        samples: The samples table.
        split: The split in which each sample is used, in the same order; null for samples in none.
        min_pixel_std: An image whose gray levels vary by less is blank.
    """
    home = samples["usage"].astype("str").fillna(split.astype("str"))
    found = find_duplicates(samples["sha256"], samples["label"])
    every = (
        _blanks(samples, home, found, min_pixel_std),
        _contradictions(samples, home, found),
        _crossings(samples, home, found),
    )
    return [defect for defect in every if defect.exhibits]


def _blanks(samples: pd.DataFrame, home: pd.Series, found: Duplicates, min_pixel_std: float) -> Defect:
    blank = (samples["std"] < min_pixel_std).to_numpy(dtype=bool)
    groups = _groups(found, blank)
    exhibits = [_exhibit(samples, home, found, rows[:2]) for rows in groups[:_MOST]]
    note = f"gray levels vary by less than {min_pixel_std:g}: {count(int(blank.sum()), 'image')} in "
    return Defect("Blank images", note + _shown(len(exhibits), len(groups)), tuple(exhibits))


def _contradictions(samples: pd.DataFrame, home: pd.Series, found: Duplicates) -> Defect:
    labels = samples["label"].to_numpy(dtype=object)
    groups = _groups(found, found.contradictory)
    exhibits = []
    for rows in groups[:_MOST]:
        # Of each label its first sample; the first two of these contradict each other.
        first = {labels[row]: row for row in reversed(rows)}
        exhibits.append(_exhibit(samples, home, found, sorted(first.values())[:2]))
    note = f"the same pixels under different labels: {_shown(len(exhibits), len(groups))}"
    return Defect("Contradictions", note, tuple(exhibits))


def _crossings(samples: pd.DataFrame, home: pd.Series, found: Duplicates) -> Defect:
    """Of each pair of splits the first groups that have members in both, each group once."""
    place = home.to_numpy(dtype=object)
    exhibits: list[Exhibit] = []
    shown: set[int] = set()
    crossing = np.zeros(len(samples), dtype=bool)
    for earlier, later in PAIRS:
        shared = found.in_split(place, earlier) & found.in_split(place, later)
        crossing |= shared
        for rows in _groups(found, shared & ~np.isin(found.group, list(shown)))[: _MOST // len(PAIRS)]:
            shown.add(int(found.group[rows[0]]))
            both = [next(row for row in rows if place[row] == name) for name in (earlier, later)]
            exhibits.append(_exhibit(samples, home, found, both))
    groups = int(np.unique(found.group[crossing]).size)
    note = f"the same pixels in two splits: {_shown(len(exhibits), groups)}"
    return Defect("Copies across splits", note, tuple(exhibits))


def _groups(found: Duplicates, chosen: npt.NDArray[np.bool_]) -> list[list[int]]:
    """The rows of each group of `chosen` samples, the largest first, then in order of appearance."""
    groups: dict[int, list[int]] = {}
    for row in np.flatnonzero(chosen).tolist():
        groups.setdefault(int(found.group[row]), []).append(row)
    return sorted(groups.values(), key=lambda rows: -found.size[rows[0]])


def _exhibit(samples: pd.DataFrame, home: pd.Series, found: Duplicates, rows: list[int]) -> Exhibit:
    same = samples["label"][found.group == found.group[rows[0]]]
    splits = [None if pd.isna(home.iloc[row]) else str(home.iloc[row]) for row in rows]
    sources = [str(samples["source"].iloc[row]) for row in rows]
    return Exhibit(
        row=rows[0],
        labels=tuple(emotion for emotion in EMOTIONS if emotion in set(same)),
        names=tuple(Name(source, split) for source, split in zip(sources, splits, strict=True)),
        samples=len(same),
    )


def _shown(shown: int, groups: int) -> str:
    return count(groups, "group") + (f", {shown} of them here" if shown < groups else "")
