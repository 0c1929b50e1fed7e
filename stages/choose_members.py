"""Stage choose_members: say for every ensemble which models vote, and how much each weighs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow.data.labelled import labelled_samples
from ferflow.evaluation.ensembles import choose_members
from ferflow.evaluation.outcomes import join
from ferflow.files import read_table, write_json
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=Path, required=True, help="folder with a report folder per model")
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()

    params = load_params()
    labels = labelled_samples(read_table(arguments.samples), read_table(arguments.splits))
    candidates: set[str] = set()
    for ensemble in params.ensembles.values():
        if ensemble.greedy:
            candidates.update(ensemble.candidates() or params.models)
    val = {
        name: join(read_table(arguments.reports / name / "predictions.parquet"), labels)["val"]
        for name in sorted(candidates)
    }
    members = {name: choose_members(ensemble, val) for name, ensemble in params.ensembles.items()}
    write_json(arguments.out, {name: each.model_dump() for name, each in members.items()})
    for name, each in members.items():
        shares = ", ".join(f"{weight:g} x {member}" for member, weight in each.weights.items())
        print(f"choose_members: {name}: {shares}")


if __name__ == "__main__":
    run(main)
