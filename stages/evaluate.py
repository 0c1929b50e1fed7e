"""Stages evaluate@<model> and evaluate_ensemble@<ensemble>: report on what was answered."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow import style
from ferflow.data.labelled import labelled_samples
from ferflow.evaluation import report
from ferflow.evaluation.model_info import read_model_info
from ferflow.evaluation.robustness.answers import score_answers
from ferflow.evaluation.robustness.figure import robustness_figure
from ferflow.files import read_table, write_csv
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits")
    parser.add_argument("--report", type=Path, required=True, help="folder of the model's report")
    arguments = parser.parse_args()

    folder = arguments.report
    info = read_model_info(folder / "model.json")
    labels = labelled_samples(read_table(arguments.samples), read_table(arguments.splits))
    robustness = score_answers(read_table(folder / "damaged.parquet"), labels)
    metrics = report.write(
        folder,
        predictions=read_table(folder / "predictions.parquet"),
        labels=labels,
        # An ensemble is not trained: its members were.
        history=read_table(folder / "history.csv") if info.members is None else None,
        model=info,
    )
    write_csv(folder / "robustness.csv", robustness)
    style.save_png(folder / "robustness.png", robustness_figure(robustness, info.model))
    print(
        f"evaluate: {info.model}: "
        + ", ".join(
            f"{split} accuracy {values['accuracy']:.4f} macro-F1 {values['macro_f1']:.4f}"
            for split, values in metrics.items()
        )
    )


if __name__ == "__main__":
    run(main)
