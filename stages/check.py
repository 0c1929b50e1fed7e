"""Stage check: read every key of params.yaml before any output is touched.

DVC deletes the outputs of a stage before it runs it. A typo that only the stage itself noticed would
cost the last good model; here it costs nothing. One file that is written never changes, so that nothing runs
again because params.yaml did; the other one holds the names of models and ensembles alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ferflow.files import write_json, write_text
from ferflow.params import load_params
from ferflow.stage import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="file to write that says that params.yaml is valid")
    parser.add_argument("--names", type=Path, help="file to write that says which models there are")
    arguments = parser.parse_args()

    params = load_params()
    if arguments.out is not None:
        write_text(arguments.out, "params.yaml is valid\n")
    if arguments.names is not None:
        write_json(arguments.names, {"models": list(params.models), "ensembles": list(params.ensembles)})


if __name__ == "__main__":
    run(main)
