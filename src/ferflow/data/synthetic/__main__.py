"""Draw the embedded sample: `python -m ferflow.data.synthetic --out data/sample.zip`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow import stage
from ferflow.data.synthetic.archive import SEED, sample_counts, write_archive, write_folder
from ferflow.errors import FerflowError
from ferflow.files import sha256_of_file


def main() -> None:
    """Parse the arguments and write the set."""
    parser = argparse.ArgumentParser(prog="python -m ferflow.data.synthetic", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the .zip to write, or a new folder")
    parser.add_argument("--seed", type=int, default=SEED, help="another seed draws other people")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies all counts (1: 1,678 pictures)")
    arguments = parser.parse_args()
    if arguments.seed < 0 or arguments.scale <= 0:
        raise FerflowError("--seed must be 0 or more and --scale more than 0: give other values.")
    if arguments.out.suffix != ".zip" and arguments.out.exists():
        raise FerflowError(f"{arguments.out} exists and is no .zip: name a new folder, or a .zip to replace.")
    counts = sample_counts(arguments.scale)
    write = write_archive if arguments.out.suffix == ".zip" else write_folder
    number = write(arguments.out, counts, arguments.seed)
    print(f"{arguments.out}: {number} pictures")
    if arguments.out.is_file():
        print(f"sha256 {sha256_of_file(arguments.out)}: pin it in params.yaml")


if __name__ == "__main__":
    stage.run(main)
