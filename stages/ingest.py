"""Stage ingest: decode every image once into one array and one table of samples."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow.data.formats import class_folders
from ferflow.data.ingest import ingest
from ferflow.files import atomic_file, write_csv, write_parquet
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="folder of the unpacked data set")
    parser.add_argument("--images", type=Path, required=True, help="array of images to write (.npy)")
    parser.add_argument("--samples", type=Path, required=True, help="table of samples to write (.parquet)")
    parser.add_argument("--rejects", type=Path, required=True, help="table of unusable files to write (.csv)")
    arguments = parser.parse_args()

    params = load_params()
    with atomic_file(arguments.images) as images:
        samples, rejects = ingest(class_folders.read(arguments.raw), params.ingest.image_size, images)
    write_parquet(arguments.samples, samples)
    write_csv(arguments.rejects, rejects)
    print(f"ingest: {len(samples):,} images, {len(rejects):,} rejects")


if __name__ == "__main__":
    run(main)
