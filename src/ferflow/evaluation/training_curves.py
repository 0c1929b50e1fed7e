"""The trainings of all models in one table, so that `dvc plots` draws them in one plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from ferflow.evaluation.rounding import DIGITS

_COLUMNS: Final = ("epoch", "phase", "accuracy", "loss", "val_accuracy", "val_loss")


def training_curves(histories: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row for each model and epoch: `model`, `epoch`, `phase`, and accuracy and loss of both splits.

    Args:
        histories: What each model's training wrote (history.csv), by the model's name, in the order in which
            a legend names them.
    """
    tables = [history[list(_COLUMNS)].assign(model=name) for name, history in histories.items()]
    return pd.concat(tables, ignore_index=True)[["model", *_COLUMNS]].round(DIGITS)
