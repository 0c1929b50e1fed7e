"""The images that an export needs: for ranges, for the choice between ways to int8, and for the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ferflow.data.arrays import Images, open_images
from ferflow.data.labelled import labelled_samples
from ferflow.errors import FerflowError
from ferflow.evaluation.significance import Classes
from ferflow.files import read_table

#: How many training images give ranges, and how many validation images choose.
DRAWN: Final = 256
_SEED: Final = 2013


@dataclass(frozen=True, eq=False)
class ExportImages:
    """The images that an export needs.

    Attributes:
        calibration: Of the train split, uint8 (n, H, W, C): int8 takes its ranges from them.
        validation: Of the val split: they choose between ways to int8.
        test: Of the test split: the report is about them.
        test_labels: Class number of each test image.
    """

    calibration: Images
    validation: Images
    test: Images
    test_labels: Classes


def images_in(folder: Path, drawn: int = DRAWN) -> ExportImages:
    """Return the images of a data set, always the same ones.

    Args:
        folder: Holds `images.npy`, `samples.parquet` and `splits.parquet`.
        drawn: At most how many of the train and of the val split.

    Raises:
        FerflowError: A file is missing or cannot be read, or a split is empty.
    """
    images = open_images(folder / "images.npy")
    table = labelled_samples(read_table(folder / "samples.parquet"), read_table(folder / "splits.parquet"))
    generator = np.random.default_rng(_SEED)
    rows = {}
    for split in ("train", "val", "test"):
        of_split = np.sort(table.loc[table["split"] == split, "row"].to_numpy())
        if not len(of_split):
            raise FerflowError(f"{folder}: the {split} split has no samples: run `dvc repro split`.")
        rows[split] = of_split if split == "test" else np.sort(generator.permutation(of_split)[:drawn])
    labels = table.set_index("row")["class_index"].loc[rows["test"]]
    return ExportImages(
        calibration=images[rows["train"]],
        validation=images[rows["val"]],
        test=images[rows["test"]],
        test_labels=labels.to_numpy(dtype=np.intp),
    )
