"""Stage validate: the gate. Report how the data fare, and stop the pipeline where they fail."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ferflow.data.expectations import check
from ferflow.errors import FerflowError
from ferflow.files import atomic_folder, read_table, write_csv, write_json, write_text
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--rejects", type=Path, required=True, help="table of unusable files")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report to write")
    arguments = parser.parse_args()

    params = load_params()
    report = check(read_table(arguments.samples), read_table(arguments.rejects), params.validate_)
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
    print(f"validate: {report.summary}")


if __name__ == "__main__":
    run(main)
