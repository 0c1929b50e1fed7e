"""The predictions table: the one thing that metrics are computed from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.labels import EMOTIONS


def predictions_table(samples: pd.DataFrame, probabilities: npt.NDArray[np.float32]) -> pd.DataFrame:
    """Return predictions beside the ids of their samples, sorted by id.

    Args:
        samples: `sample_id`, `label` and `split` of the predicted samples.
        probabilities: float32 of shape (n, 7) in the order of `EMOTIONS`; row *i* is of `samples`' row *i*.

    Returns:
        `sample_id`, `split`, `label`, `predicted` and `p_<emotion>` for each emotion.
    """
    if probabilities.shape != (len(samples), len(EMOTIONS)):
        raise ValueError(
            f"expected probabilities ({len(samples)}, {len(EMOTIONS)}), got {probabilities.shape}"
        )
    table = samples[["sample_id", "split", "label"]].reset_index(drop=True)
    table["predicted"] = np.asarray(EMOTIONS, dtype=object)[probabilities.argmax(axis=1)]
    for index, emotion in enumerate(EMOTIONS):
        table[f"p_{emotion}"] = probabilities[:, index]
    return table.sort_values("sample_id", ignore_index=True)
