"""Stage compare: put all models of params.yaml side by side; the first is the champion."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow import style
from ferflow.evaluation import leaderboard
from ferflow.evaluation.leaderboard_figure import leaderboard_figure
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=Path, required=True, help="folder with a report folder per model")
    parser.add_argument("--out", type=Path, required=True, help="folder of the leaderboard's files")
    arguments = parser.parse_args()

    ranked = leaderboard.rank(leaderboard.read(arguments.reports, load_params().models))
    leaderboard.write(arguments.out, ranked)
    style.save_png(arguments.out / "leaderboard.png", leaderboard_figure(ranked))
    print(leaderboard.as_text(ranked))


if __name__ == "__main__":
    run(main)
