"""Which sample trains, which one chooses, which one reports."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.errors import FerflowError
from ferflow.labels import label_index

SPLITS: Final = ("train", "val", "test")


def assign_splits(
    samples: pd.DataFrame, *, val_fraction: float, test_fraction: float, seed: int
) -> pd.DataFrame:
    """Return the split of every sample: the source's own where it declares three, else carved.

    * Three declared splits are kept as they are (FER-2013's Training, PublicTest, PrivateTest).
    * With two, the held-out one is the test split whatever it is called, and validation is carved
      out of train: the images that stop a training never report its result.
    * With none (or one), validation and test are carved.

    What is carved is stratified by label and seeded; a label's share is exact to one sample.

    Args:
        samples: The samples table (`sample_id`, `label`, `usage`).
        val_fraction: Validation's share of all samples where it is carved, in (0, 0.5).
        test_fraction: Test's share of all samples where it is carved, in (0, 0.5).
        seed: Decides which samples are carved. Any non-negative integer.

    Returns:
        `sample_id` and `split` in the order of `samples`.

    Raises:
        FerflowError: Some samples declare a split and others none, or a split is left without samples.
    """
    usage = samples["usage"]
    declared = set(usage.dropna().unique())
    if declared and usage.isna().any():
        orphans = samples.loc[usage.isna(), "source"]
        raise FerflowError(
            f"{len(orphans)} samples lie in no split folder while others do, e.g. {orphans.iloc[0]}: "
            "move them into one, or remove the split folders."
        )
    generator = np.random.default_rng(seed)
    if declared == set(SPLITS):
        split = usage.to_numpy(dtype=object)
    elif len(declared) == 2 and "train" in declared:
        split = np.where(usage == "train", "train", "test").astype(object)
        _carve(split, samples["label"], "val", val_fraction, generator)
    else:
        split = np.full(len(samples), "train", dtype=object)
        _carve(split, samples["label"], "test", test_fraction, generator)
        _carve(split, samples["label"], "val", val_fraction, generator)
    for name in SPLITS:
        if not (split == name).any():
            raise FerflowError(f"the {name} split has no samples: there are only {len(samples)} in all.")
    return pd.DataFrame({"sample_id": samples["sample_id"].to_numpy(), "split": split})


def labelled_samples(samples: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Return samples and splits joined by id: `row`, `sample_id`, `label`, `class_index`, `split`.

    Args:
        samples: The samples table; its row numbers are those of the image array.
        splits: The splits table, in any order. A sample that it does not name is in no split.

    Raises:
        FerflowError: The splits name a sample twice, or one that is not in the samples table.
    """
    unknown = ~splits["sample_id"].isin(samples["sample_id"])
    repeated = splits["sample_id"].duplicated()
    if unknown.any() or repeated.any():
        raise FerflowError(
            f"samples and splits do not belong together ({unknown.sum()} unknown, {repeated.sum()} repeated "
            "ids): run `dvc repro`."
        )
    table = pd.DataFrame(
        {
            "row": np.arange(len(samples)),
            "sample_id": samples["sample_id"].to_numpy(),
            "label": samples["label"].to_numpy(),
            "class_index": samples["label"].map(label_index).to_numpy("int32"),
        }
    )
    return table.merge(splits[["sample_id", "split"]], on="sample_id", how="inner", validate="one_to_one")


def _carve(
    split: npt.NDArray[np.object_],
    labels: pd.Series,
    name: str,
    fraction: float,
    generator: np.random.Generator,
) -> None:
    """Move `fraction` of all samples of each label from train to the split `name`, in place."""
    in_train = split == "train"
    for label in sorted(labels.unique()):
        of_label = (labels == label).to_numpy()
        rows = np.flatnonzero(of_label & in_train)
        wanted = min(round(fraction * int(of_label.sum())), len(rows))
        split[generator.choice(rows, size=wanted, replace=False)] = name
