"""The committed files of both sides: the work tree's, and those of a commit."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final, Protocol

from ferflow.errors import FerflowError
from ferflow.git_command import git

#: What the gate reads of a commit: everything else stays in git.
_WANTED: Final = re.compile(
    r"params\.yaml|reports/[^/]+/[^/]+/(leaderboard\.csv|champion\.json"
    r"|(models|ensembles)/[^/]+/(metrics\.json|predictions\.parquet))"
)
_UNSHALLOW: Final = "run `git fetch --unshallow` (in CI: check out with the whole history)"
_UNCOMMITTED: Final = "ONLY WHAT IS NOT COMMITTED WAS JUDGED; name another base with --base (BASE=)."


class Tree(Protocol):
    """Files by their paths, as git writes them: relative to the project's folder, with slashes."""

    @property
    def paths(self) -> Collection[str]:
        """All files."""

    def read(self, path: str) -> bytes:
        """Return the content of one of `paths`."""


class WorkTree:
    """The files of the work tree that are committed, or would be: what git ignores is not there.

    Args:
        root: The project's folder.

    Raises:
        FerflowError: It is no git checkout.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        self.paths: Final = frozenset(path for path in _split(listed) if (root / path).is_file())

    def read(self, path: str) -> bytes:
        """Return the content of one of `paths`."""
        return (self._root / path).read_bytes()

    def ignored(self, paths: Collection[str]) -> set[str]:
        """Return those of `paths`, existing or not, that git would not take."""
        if not paths:
            return set()
        # A pattern for folders says nothing of a name without a slash that is not there.
        asked = [*paths, *(f"{path}/" for path in paths)]
        answer = git("check-ignore", "-z", "--stdin", root=self._root, given="\0".join(asked).encode())
        return {path.rstrip("/") for path in _split(answer.stdout)}


class Commit:
    """What the gate needs of a commit, read at once.

    Args:
        root: The project's folder.
        revision: What git knows the commit by: a branch, a tag, a hash, `HEAD~3`.

    Raises:
        FerflowError: There is no git checkout, or no such commit in it.
    """

    def __init__(self, root: Path, revision: str) -> None:
        self.hash: Final = resolve(root, revision)
        listed = _split(_git(root, "ls-tree", "-r", "-z", "--name-only", self.hash))
        wanted = [path for path in listed if _WANTED.fullmatch(path)]
        self._files = dict(zip(wanted, _blobs(root, self.hash, wanted), strict=True))
        self.paths: Final = frozenset(self._files)

    def read(self, path: str) -> bytes:
        """Return the content of one of `paths`."""
        return self._files[path]


def resolve(root: Path, revision: str) -> str:
    """Return the hash of a commit.

    Raises:
        FerflowError: There is no git checkout, or no such commit in it.
    """
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", root=root)
    if found.returncode == 0:
        return found.stdout.decode().strip()
    if _is_shallow(root):
        raise FerflowError(f"the base '{revision}' is not in this shallow clone: {_UNSHALLOW}.")
    raise FerflowError(
        f"git knows no commit '{revision}': fetch it first (`git fetch origin`), or name another base."
    )


def default_base(root: Path) -> tuple[str, list[str]]:
    """Return where the work tree left the main branch (origin's, or the local one), and what to warn of.

    Raises:
        FerflowError: There is no git checkout, or so little of its history that this cannot be told.
    """
    if _is_shallow(root):
        raise FerflowError(f"where this branch left main is not in this shallow clone: {_UNSHALLOW}.")
    head = resolve(root, "HEAD")
    for branch in ("origin/main", "main"):
        found = git("merge-base", head, branch, root=root)
        if found.returncode == 0:
            base = found.stdout.decode().strip()
            return base, ["HEAD is in main: " + _UNCOMMITTED] if base == head else []
    return head, ["there is no branch main: " + _UNCOMMITTED]


def _is_shallow(root: Path) -> bool:
    return _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


def _blobs(root: Path, commit: str, paths: list[str]) -> list[bytes]:
    # ./ : the project may be a folder of a larger repository.
    request = "".join(f"{commit}:./{path}\n" for path in paths).encode()
    answer = git("cat-file", "--batch", root=root, given=request).stdout
    contents, place = [], 0
    for path in paths:
        end = answer.find(b"\n", place)
        header = answer[place:end].split()
        if end < 0 or len(header) != 3 or header[1] != b"blob":
            raise FerflowError(
                f"git cannot read {path} of {commit[:7]}: fetch the whole commit (`git fetch`)."
            )
        size = int(header[2])
        contents.append(answer[end + 1 : end + 1 + size])
        place = end + size + 2
    return contents


def _git(root: Path, *arguments: str) -> bytes:
    result = git(*arguments, root=root)
    if result.returncode != 0:
        said = " ".join(result.stderr.decode(errors="replace").split()) or f"status {result.returncode}"
        raise FerflowError(
            f"git {arguments[0]} failed ({said}): the gate needs a git checkout, with its history."
        )
    return result.stdout


def _split(listed: bytes) -> list[str]:
    return [path for path in listed.decode().split("\0") if path]
