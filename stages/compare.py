"""Stage compare: put all models side by side, tell which differences are real, make the page of it all."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow import style
from ferflow.data.labelled import labelled_samples
from ferflow.evaluation import leaderboard
from ferflow.evaluation.comparisons import compare
from ferflow.evaluation.comparisons_figure import comparisons_figure
from ferflow.evaluation.leaderboard_figure import leaderboard_figure
from ferflow.evaluation.outcomes import join
from ferflow.evaluation.pareto_figure import pareto_figure
from ferflow.evaluation.report_folders import report_folders
from ferflow.evaluation.robustness import scores
from ferflow.evaluation.robustness.matrix import matrix_figure
from ferflow.evaluation.training_curves import training_curves
from ferflow.files import read_table, write_csv, write_text
from ferflow.page.model_card import model_card
from ferflow.page.reading import read_inputs
from ferflow.page.render import write_page
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=Path, required=True, help="folder of the reports, read and written")
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data report")
    parser.add_argument("--validation", type=Path, required=True, help="folder of the data gate's report")
    arguments = parser.parse_args()

    out = arguments.reports
    params = load_params()
    folders = report_folders(out, params)
    labels = labelled_samples(read_table(arguments.samples), read_table(arguments.splits))
    ranked = leaderboard.rank(leaderboard.read(folders))
    in_order = ranked["model"].tolist()
    outcomes = {name: join(read_table(folders[name] / "predictions.parquet"), labels) for name in in_order}
    comparisons = compare({name: by_split["test"] for name, by_split in outcomes.items()})
    robustness = {name: scores.read(folders[name] / "robustness.csv") for name in in_order}

    leaderboard.write(out, ranked)
    write_csv(out / "comparisons.csv", comparisons)
    trained = [name for name in in_order if name in params.models]
    histories = {name: read_table(folders[name] / "history.csv") for name in trained}
    write_csv(out / "training_curves.csv", training_curves(histories))
    style.save_png(out / "leaderboard.png", leaderboard_figure(ranked))
    style.save_png(out / "comparisons.png", comparisons_figure(ranked, comparisons))
    style.save_png(out / "pareto.png", pareto_figure(ranked))
    style.save_png(out / "robustness_matrix.png", matrix_figure(robustness))

    inputs = read_inputs(out, folders, data_report=arguments.data, validation=arguments.validation)
    card = model_card(inputs)
    write_text(out / "model_card.md", card)
    write_page(out / "index.html", inputs, card)
    print(f"{leaderboard.as_text(ranked)}\n\nthe page of it all: {out / 'index.html'}")


if __name__ == "__main__":
    run(main)
