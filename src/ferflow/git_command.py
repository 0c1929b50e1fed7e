"""Git's command line, from the commands that read a checkout and its history."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ferflow.errors import FerflowError

_SECONDS: Final = 120


def git(
    *arguments: str,
    root: Path | None = None,
    given: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Return what came of a git command, whether it succeeded or not.

    Args:
        arguments: What stands behind `git`; a caller's own words behind `--end-of-options` or `--`.
        root: Where it runs; the working directory by default.
        given: What it reads from its standard input.
        environment: Variables besides those of this process.

    Raises:
        FerflowError: There is no git, or it does not end.
    """
    try:
        return subprocess.run(  # noqa: S603 - fixed program, no shell
            ["git", *arguments],  # noqa: S607 - whichever git the user works with
            cwd=root,
            input=given,
            capture_output=True,
            check=False,
            env=os.environ | (environment or {}),
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise FerflowError("git is not there: install it, and run in a checkout.") from None
    except subprocess.TimeoutExpired:
        raise FerflowError(f"git {arguments[0]} took longer than {_SECONDS} s: try again.") from None


def git_text(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what a git command prints; nothing if it fails, is no text, or there is no git."""
    try:
        result = git(*arguments, environment=environment)
        return result.stdout.decode() if result.returncode == 0 else ""
    except (FerflowError, UnicodeDecodeError):
        return ""
