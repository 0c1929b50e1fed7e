"""Stage explain: say what the data are: counts, copies, blanks, faces, on one page."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow.data.arrays import open_images
from ferflow.data.explanation.facts import gather
from ferflow.data.explanation.origin import read_origin
from ferflow.data.explanation.report import write_explanation
from ferflow.files import read_table
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--origin", type=Path, required=True, help="what the download stage fetched (.json)")
    parser.add_argument("--images", type=Path, required=True, help="array of images")
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits")
    parser.add_argument("--rejects", type=Path, required=True, help="table of what did not become a sample")
    parser.add_argument("--out", type=Path, required=True, help="folder of the page and its files to write")
    arguments = parser.parse_args()

    params = load_params()
    images = open_images(arguments.images)
    samples, splits = read_table(arguments.samples), read_table(arguments.splits)
    facts = gather(
        samples,
        splits,
        read_table(arguments.rejects, words=["source", "reason", "remedy"]),
        origin=read_origin(arguments.origin, params.dataset, params.source.licence),
        images=images,
        min_pixel_std=params.validate_.min_pixel_std,
    )
    write_explanation(arguments.out, images, samples, splits["split"], facts, seed=params.seed)
    print(f"explain: {facts.used:,} of {facts.samples:,} images are used: {arguments.out / 'README.md'}")


if __name__ == "__main__":
    run(main)
