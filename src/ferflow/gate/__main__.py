"""Hold the committed results against those of a base: `python -m ferflow.gate --base origin/main`.

Needs git and the committed files alone. Exit status: 0 if the change may be merged, 1 if it makes results
worse or its files do not belong together, 2 if that cannot be told.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ferflow.errors import FerflowError, without_credentials
from ferflow.files import write_json, write_text
from ferflow.gate.judge import Options, judge
from ferflow.gate.limits import read_limits
from ferflow.gate.markdown import as_markdown
from ferflow.gate.text import as_text
from ferflow.gate.trees import Commit, WorkTree, default_base
from ferflow.stage import run

_CANNOT_TELL = 2


def main() -> None:
    """Print the verdict, write it where asked, and exit by it."""
    arguments = _arguments()
    try:
        passed = _judge(arguments)
    except FerflowError as error:
        reason = without_credentials(str(error))
        print(f"error: {reason}", file=sys.stderr, flush=True)
        if arguments.summary:
            write_text(arguments.summary, f"## ❔ The gate cannot tell\n\n{reason}\n")
        sys.exit(_CANNOT_TELL)
    sys.exit(0 if passed else 1)


def _judge(arguments: argparse.Namespace) -> bool:
    root = Path.cwd()
    work = WorkTree(root)
    limits = read_limits(work)
    base_name, warnings = (arguments.base, []) if arguments.base else default_base(root)
    options = Options(
        boards=arguments.only or None,
        allow_removed=arguments.allow_removed,
        allow_new_test_split=arguments.allow_new_test_split,
    )
    verdict = judge(work, Commit(root, base_name), base_name, limits, options)
    verdict.warnings[:0] = warnings
    if arguments.summary:
        write_text(arguments.summary, as_markdown(verdict))
    if arguments.json:
        write_json(arguments.json, verdict.as_dict())
    print(as_text(verdict))
    return verdict.passed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ferflow.gate", description=__doc__)
    parser.add_argument(
        "--base", metavar="REF", help="a branch, tag or commit; default: where the work tree left main"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="DATASET[/BUDGET]",
        help="these data sets or data sets and budgets; default: all of which there are results",
    )
    parser.add_argument(
        "--allow-removed", nargs="+", default=[], metavar="MODEL", help="models that may be missing"
    )
    parser.add_argument(
        "--allow-new-test-split", action="store_true", help="compare although the test split is another one"
    )
    parser.add_argument("--summary", type=Path, metavar="FILE", help="also write the verdict as Markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the verdict as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
