"""All numbers of a data set in one value: what the page says, and what facts.json holds for machines."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ferflow.data.arrays import Images
from ferflow.data.explanation.copies import Copies, count_copies
from ferflow.data.explanation.counts import Balance, Counts, balance, counts_by, left_out_by
from ferflow.data.explanation.looks import Blanks, Sizes, Spread, blanks, sizes, spread_by_split
from ferflow.data.explanation.origin import Origin
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS


@dataclass(frozen=True, slots=True)
class Rejected:
    """What did not become a sample for one and the same reason.

    Attributes:
        reason: Why not.
        remedy: What to do, of the first of them.
        count: How many there are.
        example: The name of the first.
    """

    reason: str
    remedy: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The numbers of a data set.

    Attributes:
        origin: Where it comes from.
        samples: Number of samples.
        used: How many of them are in a split.
        image_size: Height and width of the stored images in pixels.
        declared: Counts of each emotion in each split that the source declares.
        as_used: Counts of each emotion in each split; `none` is left out.
        left_out: Counts of what is left out by reason and declared split.
        train_balance: The largest and the smallest class of train.
        copies_declared: Copies among all samples, by the splits that the source declares.
        copies_used: Copies among the samples that are used, by the splits in which they are.
        blank: Images on which there is nothing to see.
        brightness: Spread of the images' mean gray level over all samples and over each split.
        contrast: Spread of the standard deviation of their gray levels.
        sizes: Original sizes.
        defects: What could not be read, the commonest reason first.
        excluded: What was left out of the samples on purpose, the commonest reason first.
    """

    origin: Origin
    samples: int
    used: int
    image_size: int
    declared: Counts
    as_used: Counts
    left_out: Counts
    train_balance: Balance
    copies_declared: Copies
    copies_used: Copies
    blank: Blanks
    brightness: dict[str, Spread | None]
    contrast: dict[str, Spread | None]
    sizes: Sizes
    defects: list[Rejected]
    excluded: list[Rejected]

    def as_json(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return dataclasses.asdict(self)


def gather(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    rejects: pd.DataFrame,
    *,
    origin: Origin,
    images: Images,
    min_pixel_std: float,
) -> Facts:
    """Return all numbers of a data set.

    Args:
        samples: The samples table, at least one row.
        splits: The splits table (`sample_id`, `split`, `reason`), a row for each sample in their order.
        rejects: The rejects table (`source`, `reason`, `remedy`, `defect`).
        origin: Where the data set comes from.
        images: Its images, uint8 of shape (N, S, S, 1), a row for each sample; only their shape is looked at.
        min_pixel_std: An image whose gray levels vary by less is blank.

    Raises:
        FerflowError: The samples, their splits and their images are not of the same data.
    """
    if not samples["sample_id"].equals(splits["sample_id"]) or len(samples) != len(images):
        raise FerflowError("the samples, their splits and their images do not match: run `dvc repro`.")
    split, usage, used = splits["split"], samples["usage"], splits["split"].notna()
    as_used = counts_by(samples["label"], split, EMOTIONS)
    defect = rejects["defect"].astype(bool)
    return Facts(
        origin=origin,
        samples=len(samples),
        used=int(used.sum()),
        image_size=images.shape[1],
        declared=counts_by(samples["label"], usage, EMOTIONS),
        as_used=as_used,
        left_out=left_out_by(splits["reason"], usage),
        train_balance=balance(as_used),
        copies_declared=count_copies(samples["sha256"], samples["label"], usage),
        copies_used=count_copies(samples["sha256"][used], samples["label"][used], split[used]),
        blank=blanks(samples["std"], samples["source"], split, min_pixel_std),
        brightness=spread_by_split(samples["mean"], split),
        contrast=spread_by_split(samples["std"], split),
        sizes=sizes(samples["width"], samples["height"]),
        defects=_by_reason(rejects[defect]),
        excluded=_by_reason(rejects[~defect]),
    )


def _by_reason(rejects: pd.DataFrame) -> list[Rejected]:
    groups = [
        Rejected(str(reason), str(rows["remedy"].iloc[0]), len(rows), str(rows["source"].iloc[0]))
        for reason, rows in rejects.groupby("reason", sort=False)
    ]
    return sorted(groups, key=lambda group: (-group.count, group.reason))
