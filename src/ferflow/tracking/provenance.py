"""Where a run comes from: commit, stage, experiment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def provenance_tags(stage: str) -> dict[str, str]:
    """Return the tags that say which commit, DVC stage and DVC experiment a run belongs to.

    `git_dirty` is about what decides results: code, stages and params, not the files that the
    pipeline itself writes. Outside of a git checkout the git tags are left out.
    """
    tags = {"dvc_stage": stage}
    commit = _git("rev-parse", "HEAD")
    if commit:
        changed = _git("status", "--porcelain", "--", "src", "stages", "params.yaml", "dvc.yaml")
        tags |= {"git_commit": commit, "git_dirty": str(bool(changed)).lower()}
    if name := os.environ.get("DVC_EXP_NAME"):
        tags["dvc_experiment"] = name
    return tags


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(  # noqa: S603 - fixed program, our own arguments
            ["git", *arguments],  # noqa: S607 - whichever git the user works with
            capture_output=True,
            text=True,
            check=False,
            cwd=Path.cwd(),
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
