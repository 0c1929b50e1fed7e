"""Compare the results in the work tree with the committed ones."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from ferflow.errors import FerflowError
from ferflow.files import write_text
from ferflow.reproduced.check import Machine, compare
from ferflow.reproduced.committed import committed_files, work_tree_files
from ferflow.reproduced.wording import as_markdown, as_text
from ferflow.stage import run


def main() -> None:
    """Print what is reproduced; exit with 1 if something is not."""
    parser = argparse.ArgumentParser(prog="python -m ferflow.reproduced", description=__doc__)
    parser.add_argument("--base", default="HEAD", help="the commit with the results, default HEAD")
    parser.add_argument("--summary", type=Path, help="Markdown file to write, e.g. a CI job's summary")
    parser.add_argument(
        "--machine",
        choices=get_args(Machine),
        default="auto",
        help="ask equal bytes of trainings: on the same kind of machine (auto), always (same), never (other)",
    )
    arguments = parser.parse_args()

    root = Path.cwd()
    findings = compare(committed_files(arguments.base), work_tree_files(root), root, arguments.machine)
    if arguments.summary:
        write_text(arguments.summary, as_markdown(findings, arguments.base))
    print(as_text(findings, arguments.base))
    if findings.problems:
        raise FerflowError(_closing_line(findings.problems, exact=findings.exact))


def _closing_line(problems: list[str], *, exact: bool) -> str:
    more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
    if exact and all(problem.startswith("not the committed bytes") for problem in problems):
        # Two kinds of processors may have one name.
        return (
            f"{problems[0]}{more}; if this is another kind of machine than it says, pass `--machine other`."
        )
    return f"not reproduced: {problems[0]}{more}; run `make repro` and commit dvc.lock and reports."


if __name__ == "__main__":
    run(main)
