"""Stage validate: the gate. Report how the data fare, and stop the pipeline where they fail."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ferflow.data.arrays import open_images
from ferflow.data.gate.run import judge
from ferflow.errors import FerflowError
from ferflow.files import atomic_folder, read_table, sha256_of_file, write_csv, write_json, write_text
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="array of images")
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits")
    parser.add_argument("--rejects", type=Path, required=True, help="table of what did not become a sample")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report to write")
    parser.add_argument("--passed", type=Path, required=True, help="what was let through, to write (.json)")
    arguments = parser.parse_args()

    # First of all: whatever happens now, nothing says of these data that they passed.
    arguments.passed.unlink(missing_ok=True)
    params = load_params()
    images = open_images(arguments.images)
    report = judge(
        read_table(arguments.samples),
        read_table(arguments.splits),
        read_table(arguments.rejects, words=["source", "reason", "remedy"]),
        images,
        image_size=params.ingest.image_size,
        limits=params.validate_,
    )
    with atomic_folder(arguments.out) as folder:
        write_text(folder / "index.html", report.as_html())
        write_json(folder / "report.json", report.as_json())
        write_csv(folder / "expectations.csv", report.as_table())
    for result in (*report.errors, *report.warnings):
        print(result.line, file=sys.stderr)
    if not report.success:
        raise FerflowError(
            f"validate: {report.summary}: mend the data, or change a limit under `validate` in params.yaml "
            f"if it is wrong for them; the report is {arguments.out / 'index.html'}."
        )
    # The data alone, no limit and no finding: training depends on this file.
    passed = {
        "samples": sha256_of_file(arguments.samples),
        "splits": sha256_of_file(arguments.splits),
        "images": list(images.shape),
    }
    write_json(arguments.passed, passed)
    print(f"validate: {report.summary}")


if __name__ == "__main__":
    run(main)
