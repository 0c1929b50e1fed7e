"""Stage split: say for every sample whether it trains, chooses or reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow.data.labelled import SPLITS
from ferflow.data.splits import assign_splits
from ferflow.files import read_table, write_parquet
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits to write (.parquet)")
    arguments = parser.parse_args()

    params = load_params()
    splits = assign_splits(
        read_table(arguments.samples, columns=["sample_id", "label", "source", "usage", "sha256"]),
        duplicates=params.split.duplicates,
        val_fraction=params.split.val_fraction,
        test_fraction=params.split.test_fraction,
        seed=params.seed,
    )
    write_parquet(arguments.splits, splits)
    counts = splits["split"].value_counts()
    print("split: " + ", ".join(f"{counts[name]:,} {name}" for name in SPLITS))
    for reason, count in splits["reason"].value_counts().items():
        print(f"split: {count:,} left out: {reason}")


if __name__ == "__main__":
    run(main)
