"""Stage download: fetch, verify and unpack the chosen data set's archive."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow.data.download import download
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the unpacked data set")
    arguments = parser.parse_args()

    params = load_params()
    sha256 = download(params.source.source, params.source.sha256, arguments.out)
    if params.source.sha256 is None:
        print(f"download: sha256 {sha256} (not pinned: put it in datasets.{params.dataset}.sha256)")
    else:
        print(f"download: sha256 {sha256} as expected")


if __name__ == "__main__":
    run(main)
