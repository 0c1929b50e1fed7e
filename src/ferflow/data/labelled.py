"""Samples with their labels and splits: what trainings and reports are made of.

Apart from the splitter, so that another policy there trains anew only where it changes a split.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ferflow.errors import FerflowError
from ferflow.labels import label_index

SPLITS: Final = ("train", "val", "test")


def labelled_samples(samples: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Return samples and splits joined by id: `row`, `sample_id`, `label`, `class_index`, `split`.

    Args:
        samples: The samples table; its row numbers are those of the image array.
        splits: The splits table, in any order. Samples that it does not name, or leaves out, are left out.

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
    in_use = splits.loc[splits["split"].notna(), ["sample_id", "split"]]
    return table.merge(in_use, on="sample_id", how="inner", validate="one_to_one")
