"""What the images look like in numbers: brightness, contrast, original size, and which are blank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ferflow.data.labelled import SPLITS

_NAMED: Final = 20  # blank images


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity is spread over a set of samples, rounded to two decimals.

    Attributes:
        low: 5 % of the samples are below.
        median: Half of them are.
        high: 95 % of them are.
        mean: Their mean.
    """

    low: float
    median: float
    high: float
    mean: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the images before they were resized to the one in which they are stored.

    Attributes:
        distinct: Number of different sizes.
        width: Smallest, median and largest width in pixels.
        height: The same of the height.
        commonest: Width and height that most images have; of equals, the smaller.
        commonest_samples: How many have it.
    """

    distinct: int
    width: tuple[int, int, int]
    height: tuple[int, int, int]
    commonest: tuple[int, int]
    commonest_samples: int


@dataclass(frozen=True, slots=True)
class Blanks:
    """Images on which there is nothing to see.

    Attributes:
        min_pixel_std: The standard deviation, in gray levels, below which an image counts as blank.
        samples: Their number.
        used: How many of them are in a split.
        first: The names of the first of them, twenty at most, in the order of the samples.
    """

    min_pixel_std: float
    samples: int
    used: int
    first: list[str]


def spread_by_split(values: pd.Series, split: pd.Series) -> dict[str, Spread | None]:
    """Return how `values` are spread over all samples (`all`) and in each split; None where one is empty.

    Args:
        values: A quantity of each sample, e.g. its mean gray level.
        split: The split of each sample, in the same order; null for samples in none.
    """
    parts = {"all": values, **{name: values[split == name] for name in SPLITS}}
    return {name: _spread(part) if len(part) else None for name, part in parts.items()}


def sizes(width: pd.Series, height: pd.Series) -> Sizes:
    """Return the original sizes of at least one image.

    Args:
        width: Of each sample, in pixels.
        height: Of each sample, in the same order.
    """
    pairs = np.column_stack([width.to_numpy(dtype=np.int64), height.to_numpy(dtype=np.int64)])
    distinct, counts = np.unique(pairs, axis=0, return_counts=True)
    commonest = distinct[counts.argmax()]
    return Sizes(
        distinct=len(distinct),
        width=_ends_and_median(width),
        height=_ends_and_median(height),
        commonest=(int(commonest[0]), int(commonest[1])),
        commonest_samples=int(counts.max()),
    )


def blanks(std: pd.Series, source: pd.Series, split: pd.Series, min_pixel_std: float) -> Blanks:
    """Return which images are blank.

    Args:
        std: Standard deviation of each sample's pixels in gray levels.
        source: The name of each sample, in the same order.
        split: The split of each sample, in the same order; null for samples in none.
        min_pixel_std: An image below this is blank.
    """
    blank = std < min_pixel_std
    return Blanks(
        min_pixel_std=min_pixel_std,
        samples=int(blank.sum()),
        used=int((blank & split.notna()).sum()),
        first=[str(name) for name in source[blank].iloc[:_NAMED]],
    )


def _spread(values: pd.Series) -> Spread:
    exact = values.to_numpy(dtype=np.float64)
    low, median, high = (round(float(value), 2) for value in np.percentile(exact, (5, 50, 95)))
    return Spread(low, median, high, round(float(exact.mean()), 2))


def _ends_and_median(values: pd.Series) -> tuple[int, int, int]:
    return int(values.min()), int(values.median()), int(values.max())
