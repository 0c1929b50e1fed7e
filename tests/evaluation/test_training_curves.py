from __future__ import annotations

import pandas as pd

from ferflow.evaluation.training_curves import training_curves


def history(*accuracies: float) -> pd.DataFrame:
    """What a training writes."""
    return pd.DataFrame(
        {
            "epoch": range(1, len(accuracies) + 1),
            "phase": "all",
            "learning_rate": 0.001,
            "loss": 2.0,
            "accuracy": 0.5,
            "val_loss": 1.5,
            "val_accuracy": accuracies,
        }
    )


def test_models_follow_each_other_epoch_by_epoch_in_the_order_given() -> None:
    table = training_curves({"vgg16": history(0.2), "cnn4": history(0.3, 0.123456789)})
    assert list(table.columns) == [
        *("model", "epoch", "phase"),
        *("accuracy", "loss", "val_accuracy", "val_loss"),
    ]
    assert list(zip(table["model"], table["epoch"], table["val_accuracy"], strict=True)) == [
        ("vgg16", 1, 0.2),
        ("cnn4", 1, 0.3),
        ("cnn4", 2, 0.123457),
    ]
