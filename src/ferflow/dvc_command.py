"""DVC's command line, from the commands that stand around it."""

from __future__ import annotations

import subprocess
import sys

from ferflow.errors import FerflowError


def run_dvc(*arguments: str, capture: bool = False) -> str:
    """Run DVC as the environment has it, and show what it prints.

    Args:
        arguments: What stands behind `dvc`.
        capture: Whether what it prints on stdout is returned instead of shown.

    Raises:
        FerflowError: It failed; what it said is shown.
    """
    command = [sys.executable, "-m", "dvc", *arguments]
    result = subprocess.run(  # noqa: S603 - our own words, and values that were checked
        command, stdout=subprocess.PIPE if capture else None, text=True, check=False
    )
    if result.returncode != 0:
        raise FerflowError(f"`dvc {' '.join(arguments[:2])}` failed; its message is above.")
    return result.stdout or ""
