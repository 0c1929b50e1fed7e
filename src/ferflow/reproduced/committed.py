"""What a commit holds, read in one go."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from ferflow.errors import FerflowError
from ferflow.git_command import git

Files = dict[str, bytes]

_READ = ("dvc.lock", "dvc.yaml", "params.yaml", "reports")


def committed_files(base: str) -> Files:
    """Return the content of the pipeline's files and of all reports of a commit, by path.

    Args:
        base: A commit, branch or tag.

    Raises:
        FerflowError: There is no such commit, or it has no results.
    """
    result = git("archive", "--format=tar", "--end-of-options", f"{base}^{{tree}}", *_READ)
    if result.returncode != 0:
        said = result.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise FerflowError(
            f"git cannot read the results of '{base}' ({said[0]}): name a commit of this checkout that has "
            "dvc.lock and reports; a shallow clone has but the last one."
        )
    with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
        return {
            member.name: stream.read()
            for member in archive
            if (stream := archive.extractfile(member)) is not None
        }


def work_tree_files(root: Path) -> Files:
    """Return the same files as the work tree has them, by path.

    Raises:
        FerflowError: It has no pipeline, or the pipeline has not run.
    """
    paths = [path for name in _READ for path in _files_of(root / name)]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    for name in _READ[:3]:
        if name not in files:
            raise FerflowError(f"{root / name} is missing: run this in a checkout, after `make repro`.")
    return files


def _files_of(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
