"""All files of one model's report, from its predictions, the truth and its training history."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from ferflow import style
from ferflow.errors import FerflowError
from ferflow.evaluation import figures, metrics, score_figures
from ferflow.evaluation.agreement import check_agreement
from ferflow.evaluation.calibration import calibration_table
from ferflow.evaluation.classification_report import report_text, report_values
from ferflow.evaluation.confusions import confusion_counts, confusion_table, top_confusions
from ferflow.evaluation.model_info import ModelInfo
from ferflow.evaluation.outcomes import Outcomes, join
from ferflow.evaluation.precision_recall import precision_recall_table
from ferflow.evaluation.wording import shares
from ferflow.files import write_csv, write_json, write_text

_SPLIT_TITLES: Final = {"val": "Validation split (chooses the champion)", "test": "Test split (reported)"}
_HISTORY: Final = ("epoch", "phase", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")

Summary = dict[str, dict[str, float | int]]


def write(
    folder: Path,
    *,
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    history: pd.DataFrame | None,
    model: ModelInfo,
) -> Summary:
    """Write a model's report into `folder` and return the content of its metrics.json.

    Of both splits: `metrics.json`, `per_class.csv`, `classification_report.txt` and `.json`. Of the test
    split: `confusion.csv` and `.png`, `top_confusions.csv`, `calibration.csv`, `reliability.png`,
    `precision_recall.csv` and `.png`. Of the training: `training_curves.png`. Equal input gives equal bytes,
    in whatever order the rows of `predictions` and `labels` are. Other files in `folder` are left alone.

    Args:
        folder: The model's report folder; made if it is missing.
        predictions: The predictions table: `sample_id`, `split`, `label`, `predicted`, `p_<emotion>`.
        labels: The truth: `sample_id`, `label`, `split` of every sample of the data set.
        history: One row per epoch: `epoch`, `phase`, `learning_rate`, `loss`, `accuracy`, `val_loss`,
            `val_accuracy`. None of what is not trained itself.
        model: The model in words and numbers.

    Raises:
        FerflowError: The predictions do not fit the truth or the training, or the history is not complete;
            nothing has been written then.
    """
    outcomes = join(predictions, labels)
    if history is not None:
        _check_history(history)
        check_agreement(outcomes["val"], history)
    summary = metrics.summarize(outcomes)
    per_class = metrics.per_class(outcomes)

    write_json(folder / "metrics.json", summary)
    write_csv(folder / "per_class.csv", per_class)
    write_text(folder / "classification_report.txt", classification_text(outcomes, summary, model))
    write_json(
        folder / "classification_report.json",
        {split: report_values(of_split) for split, of_split in outcomes.items()},
    )
    _write_test(
        folder, outcomes["test"], per_class[per_class["split"] == "test"], summary["test"], model.model
    )
    if history is not None:
        style.save_png(folder / "training_curves.png", figures.training_curves(history, model.model))
    return summary


def classification_text(outcomes: dict[str, Outcomes], summary: Summary, model: ModelInfo) -> str:
    """Return the classification report of all splits, readable in a terminal of 80 columns."""
    sections = [
        f"{model.model}: {model.architecture}, {model.parameters:,} parameters, "
        f"{model.input_size} px input, {model.epochs} epoch(s), {model.precision}\n"
    ]
    if model.members:
        sections.append(f"The votes of {', '.join(shares(model.members))}.\n")
    if model.views > 1:
        sections.append(f"Probabilities are the mean over {model.views} views of each image.\n")
    for split, of_split in outcomes.items():
        heading = f"{_SPLIT_TITLES[split]}: {summary[split]['samples']:,} images"
        sections.append(
            f"{heading}\n{'-' * len(heading)}\n{_headline(summary[split])}\n\n{report_text(of_split)}"
        )
    return "\n".join(sections)


def _headline(values: dict[str, float | int]) -> str:
    """Return the scores of a split in two lines, two of them with their 95 % intervals."""
    accuracy = "{accuracy:.1%} (95% interval {accuracy_low:.1%} to {accuracy_high:.1%})"
    macro_f1 = "{macro_f1:.3f} ({macro_f1_low:.3f} to {macro_f1_high:.3f})"
    others = "log loss {log_loss:.3f} | calibration error {calibration_error:.1%}"
    template = f"accuracy {accuracy} | macro-F1 {macro_f1}\ntop-2 accuracy {{top2_accuracy:.1%}} | {others}"
    return template.format_map(values)


def _write_test(
    folder: Path, test: Outcomes, per_class: pd.DataFrame, scores: dict[str, float | int], model: str
) -> None:
    """Write the tables and figures of the test split; `per_class` and `scores` are its own."""
    counts, bins, curves = confusion_counts(test), calibration_table(test), precision_recall_table(test)
    write_csv(folder / "confusion.csv", confusion_table(test))
    write_csv(folder / "top_confusions.csv", top_confusions(counts))
    write_csv(folder / "calibration.csv", bins)
    write_csv(folder / "precision_recall.csv", curves)
    style.save_png(folder / "confusion.png", figures.confusion(counts, model, scores))
    style.save_png(folder / "reliability.png", score_figures.reliability(bins, model, scores))
    style.save_png(folder / "precision_recall.png", score_figures.precision_recall(curves, per_class, model))


def _check_history(history: pd.DataFrame) -> None:
    missing = [column for column in _HISTORY if column not in history.columns]
    if missing:
        raise FerflowError(f"history table: missing column(s) {', '.join(missing)}; run `dvc repro` again.")
    if history.empty:
        raise FerflowError("history table: there is no epoch in it: delete it and run `dvc repro`.")
    if not history["epoch"].is_monotonic_increasing or not history["epoch"].is_unique:
        raise FerflowError("history table: epochs are not in order: delete it and run `dvc repro`.")
