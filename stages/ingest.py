"""Stage ingest: decode every image once into one array and one table of samples."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow.data.formats.detect import find_reader
from ferflow.data.ingest import ingest
from ferflow.files import atomic_file
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
    layout = params.source.layout
    name, reader = find_reader(arguments.raw, layout)
    with (
        atomic_file(arguments.images) as images,
        atomic_file(arguments.samples) as samples,
        atomic_file(arguments.rejects) as rejects,
    ):
        found = ingest(
            reader.read(arguments.raw, layout),
            layout.label_names,
            params.ingest.image_size,
            images=images,
            samples=samples,
            rejects=rejects,
        )
    print(
        f"ingest: {name}: {found.images:,} images, {found.unusable:,} unusable, {found.left_out:,} left out"
    )


if __name__ == "__main__":
    run(main)
