"""Which sample trains, which one chooses, which one reports, and which one is left out and why."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.data.duplicates import Duplicates, find_duplicates
from ferflow.data.labelled import SPLITS
from ferflow.errors import FerflowError

#: Why a sample is in no split.
COPY_OF_TEST: Final = "copy of a test image"
COPY_OF_VAL: Final = "copy of a val image"
CONTRADICTORY: Final = "same image under another label"
REDUNDANT: Final = "further copy of an image that is carved for val or test"

Words = npt.NDArray[np.object_]


def assign_splits(
    samples: pd.DataFrame,
    *,
    duplicates: Literal["clean", "keep"],
    val_fraction: float,
    test_fraction: float,
    seed: int,
) -> pd.DataFrame:
    """Return the split of every sample, the source's own where it declares one, and why some have none.

    * Three declared splits stay as they are (FER-2013's Training, PublicTest, PrivateTest).
    * With two, the held-out one is the test split whatever it is called, and validation is carved
      out of train: the images that stop a training never report its result.
    * With none (or only train), validation and test are carved.

    With `duplicates="clean"` no image is in two splits. Test stays whole, so that results compare with
    published ones: its copies leave train and val, and copies of val leave train. Images under two
    labels leave train, and are never carved. Of an image that is carved, one copy is kept.

    What is carved is stratified by label, grouped by pixels and seeded: a label's share of the distinct
    images in use is exact to one.

    Args:
        samples: The samples table (`sample_id`, `label`, `usage`, `sha256`, and `source` for messages).
        duplicates: "clean", or "keep" to leave every sample where its source puts it. What is carved is
            grouped by pixels in both cases.
        val_fraction: Validation's share where it is carved, in (0, 0.5).
        test_fraction: Test's share where it is carved, in (0, 0.5).
        seed: Decides which samples are carved. Any non-negative integer.

    Returns:
        `sample_id`, `split` (null for what is left out) and `reason` (null for what is not), in the
        order of `samples`.

    Raises:
        FerflowError: Some samples declare a split and others none, a split is declared but no train, or a
            split is left without samples.
    """
    copies = find_duplicates(samples["sha256"], samples["label"])
    split, carved = _declared(samples)
    reason: Words = np.full(len(samples), None, dtype=object)
    if duplicates == "clean":
        reason = _clean(split, copies)
        split[pd.notna(reason)] = None
    fractions = {"val": val_fraction, "test": test_fraction}
    generator = np.random.default_rng(seed)
    for name in carved:
        chosen = _carve(split, samples["label"], copies.group, fractions[name], generator)
        split[chosen] = name
        if duplicates == "clean":
            further = chosen & ~_first_of_group(copies.group, chosen)
            split[further], reason[further] = None, REDUNDANT
    for name in SPLITS:
        if not (split == name).any():
            raise _empty(name, fractions[name] if name in carved else None, samples["usage"], reason)
    ids = samples["sample_id"].to_numpy()
    return pd.DataFrame(
        {
            "sample_id": ids,
            "split": pd.Series(split, dtype="str"),
            "reason": pd.Series(reason, dtype="str"),
        }
    )


def _empty(name: str, fraction: float | None, usage: pd.Series, reason: Words) -> FerflowError:
    """Return the error for a split without samples; `fraction` is its share if it was to be carved."""
    if fraction is not None:
        return FerflowError(
            f"the {name} split has no samples: {fraction:g} of each label's images is less than half of one. "
            f"Add images ({int(0.5 / fraction) + 1} of a label are the least), or raise "
            f"split.{name}_fraction in params.yaml."
        )
    reasons = pd.Series(reason[(usage == name).to_numpy(dtype=bool, na_value=False)]).value_counts()
    left_out = ", ".join(f"{count:,} as {why}" for why, count in reasons.items())
    return FerflowError(
        f"the {name} split has no samples: all of them are left out ({left_out}). Take those copies out of "
        "the data, or see split.duplicates in params.yaml."
    )


def _declared(samples: pd.DataFrame) -> tuple[Words, tuple[str, ...]]:
    """Return the split that each sample starts in, and the names of the splits to carve out of train."""
    usage = samples["usage"]
    declared = set(usage.dropna().unique())
    if declared and usage.isna().any():
        orphans = samples.loc[usage.isna(), "source"]
        raise FerflowError(
            f"{len(orphans)} samples are in no split while others are, e.g. {orphans.iloc[0]}: put them into "
            "one, or take the splits away."
        )
    if declared and "train" not in declared:
        raise FerflowError(
            f"the data set declares {' and '.join(sorted(declared))} but no train split: add the training "
            "images, or take the splits away."
        )
    if declared == set(SPLITS):
        return usage.to_numpy(dtype=object), ()
    if len(declared) == 2:
        return np.where(usage == "train", "train", "test").astype(object), ("val",)
    return np.full(len(samples), "train", dtype=object), ("test", "val")


def _clean(split: Words, copies: Duplicates) -> Words:
    """Return why each sample is to be left out, None for those that stay."""
    in_test, in_val = copies.in_split(split, "test"), copies.in_split(split, "val")
    train, val = split == "train", split == "val"
    reason: Words = np.full(len(split), None, dtype=object)
    reason[train & copies.contradictory] = CONTRADICTORY
    reason[train & in_val] = COPY_OF_VAL
    reason[(train | val) & in_test] = COPY_OF_TEST
    return reason


def _carve(
    split: Words,
    labels: pd.Series,
    group: npt.NDArray[np.int64],
    fraction: float,
    generator: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    """Return which samples in train make up `fraction` of each label's distinct images in use.

    An image's copies go together. One that stands under several labels counts for that of its first copy.
    """
    in_use = _first_of_group(group, pd.notna(split))
    candidates = _first_of_group(group, split == "train")
    chosen = np.zeros(int(group.max()) + 1, dtype=bool)
    for label in sorted(labels.unique()):
        of_label = (labels == label).to_numpy(dtype=bool)
        rows = np.flatnonzero(of_label & candidates)
        wanted = min(round(fraction * int((of_label & in_use).sum())), len(rows))
        chosen[group[generator.choice(rows, size=wanted, replace=False)]] = True
    carved: npt.NDArray[np.bool_] = chosen[group] & (split == "train")
    return carved


def _first_of_group(group: npt.NDArray[np.int64], among: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which samples are the first of their group `among` some of them."""
    rows = np.flatnonzero(among)
    first = np.zeros(len(group), dtype=bool)
    first[rows[np.unique(group[rows], return_index=True)[1]]] = True
    return first
