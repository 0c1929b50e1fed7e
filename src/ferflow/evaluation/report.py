"""All files of one model's report, from its predictions, the truth and its training history."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from ferflow import style
from ferflow.errors import FerflowError
from ferflow.evaluation import figures, metrics
from ferflow.evaluation.model_info import ModelInfo
from ferflow.evaluation.outcomes import Outcomes, join
from ferflow.files import write_csv, write_json, write_text
from ferflow.labels import EMOTIONS

_SPLIT_TITLES: Final = {"val": "Validation split (chooses the champion)", "test": "Test split (reported)"}
_HISTORY: Final = ("epoch", "phase", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")

Summary = dict[str, dict[str, float | int]]


def write(
    folder: Path, *, predictions: pd.DataFrame, labels: pd.DataFrame, history: pd.DataFrame, model: ModelInfo
) -> Summary:
    """Write a model's report into `folder` and return the content of its metrics.json.

    The files: `metrics.json`, `per_class.csv`, `classification_report.txt` and `.json`,
    `confusion.csv`, `confusion.png`, `training_curves.png`. Equal input gives equal bytes, in
    whatever order the rows of `predictions` and `labels` are. Other files in `folder` are left alone.

    Args:
        folder: The model's report folder; made if it is missing.
        predictions: The predictions table: `sample_id`, `split`, `label`, `predicted`, `p_<emotion>`.
        labels: The truth: `sample_id`, `label`, `split` of every sample of the data set.
        history: One row per epoch: `epoch`, `phase`, `learning_rate`, `loss`, `accuracy`, `val_loss`,
            `val_accuracy`.
        model: The model in words and numbers.

    Raises:
        FerflowError: The predictions do not agree with the truth, or the history is not complete;
            nothing has been written then.
    """
    outcomes = join(predictions, labels)
    _check_history(history)
    summary = metrics.summarize(outcomes)
    test = outcomes["test"]
    counts = metrics.confusion_counts(test)

    write_json(folder / "metrics.json", summary)
    write_csv(folder / "per_class.csv", metrics.per_class(outcomes))
    write_text(folder / "classification_report.txt", classification_text(outcomes, summary, model))
    write_json(
        folder / "classification_report.json",
        {split: metrics.report_values(of_split) for split, of_split in outcomes.items()},
    )
    write_csv(folder / "confusion.csv", confusion_table(test))
    style.save_png(folder / "confusion.png", figures.confusion(counts, model.model, summary["test"]))
    style.save_png(folder / "training_curves.png", figures.training_curves(history, model.model))
    return summary


def classification_text(outcomes: dict[str, Outcomes], summary: Summary, model: ModelInfo) -> str:
    """Return the classification report of all splits, readable in a terminal of 80 columns."""
    sections = [
        f"{model.model}: {model.architecture}, {model.parameters:,} parameters, "
        f"{model.input_size} px input, {model.epochs} epoch(s), {model.precision}\n"
    ]
    if model.views > 1:
        sections.append(f"Probabilities are the mean over {model.views} views of each image.\n")
    for split, of_split in outcomes.items():
        values = summary[split]
        heading = f"{_SPLIT_TITLES[split]}: {values['samples']:,} images"
        sections.append(
            f"{heading}\n{'-' * len(heading)}\n"
            f"accuracy {values['accuracy']:.1%} | top-2 accuracy {values['top2_accuracy']:.1%} | "
            f"macro-F1 {values['macro_f1']:.3f} | log loss {values['log_loss']:.3f}\n\n"
            f"{metrics.report_text(of_split)}"
        )
    return "\n".join(sections)


def confusion_table(outcomes: Outcomes) -> pd.DataFrame:
    """Return `actual` and `predicted` emotions, a row per sample in the order of the sample ids.

    DVC's `confusion` plot template counts the pairs.
    """
    names = pd.Series(EMOTIONS)
    return pd.DataFrame(
        {
            "actual": names[outcomes.actual].to_numpy(),
            "predicted": names[outcomes.predicted].to_numpy(),
        }
    )


def _check_history(history: pd.DataFrame) -> None:
    missing = [column for column in _HISTORY if column not in history.columns]
    if missing:
        raise FerflowError(f"history table: missing column(s) {', '.join(missing)}; run `dvc repro` again.")
    if history.empty:
        raise FerflowError("history table: there is no epoch in it: delete it and run `dvc repro`.")
    if not history["epoch"].is_monotonic_increasing or not history["epoch"].is_unique:
        raise FerflowError("history table: epochs are not in order: delete it and run `dvc repro`.")
