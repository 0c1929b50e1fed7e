"""Stage download: bring the chosen data set in, verified and unpacked."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow.data.source import Origin, fetch_source
from ferflow.errors import without_credentials
from ferflow.files import write_json
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the unpacked data set")
    parser.add_argument("--origin", type=Path, required=True, help="where it came from, to write (.json)")
    arguments = parser.parse_args()

    params = load_params()
    source = without_credentials(params.source.source)
    fetched = fetch_source(params.source.source, params.source.sha256, arguments.out)
    # Of a local source its name alone: the data report is for others, on whose machines the path is another.
    known_as = Path(source).name if fetched.origin is Origin.LOCAL else source
    write_json(arguments.origin, {"dataset": params.dataset, "source": known_as, "sha256": fetched.sha256})
    if fetched.origin is not Origin.LOCAL:
        print(f"download: {source} ({fetched.origin.value})")
    if params.source.sha256 is None:
        print(f"download: sha256 {fetched.sha256} (not pinned: put it in datasets.{params.dataset}.sha256)")
    else:
        print(f"download: sha256 {fetched.sha256} as expected")


if __name__ == "__main__":
    run(main)
