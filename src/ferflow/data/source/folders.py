"""A folder as a source: its files, its checksum, its copy."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ferflow.data.by_products import is_by_product
from ferflow.data.source.checks import CHUNK_BYTES, check_name, check_room
from ferflow.errors import FerflowError
from ferflow.files import sha256_of_file, sha256_of_json
from ferflow.progress import progress

_REMEDY: Final = "copy the folder with its links followed (`cp -rL`), and give the copy as the source."


def sha256_of_folder(folder: Path, source: str) -> str:
    """Return the checksum of a folder's content: the same names and bytes give the same one anywhere.

    It is the SHA-256 of the sorted pairs of each file's path and SHA-256. Times, modes and empty folders
    do not count, nor do by-products of an operating system: looking into a folder does not change it.

    Args:
        folder: An existing folder.
        source: What people know it by.

    Raises:
        FerflowError: It holds a link that is refused or a special file (see `copy_folder`).
        OSError: A file in it cannot be read.
    """
    files = _files_in(folder, source)
    paths = progress(files.items(), description="checksum", unit="file", total=len(files))
    return _sha256_of_tree({name: sha256_of_file(path) for name, path in paths if not is_by_product(name)})


def copy_folder(folder: Path, source: str, out: Path) -> str:
    """Copy a folder's files into the empty folder `out`; return the checksum of what was copied.

    By-products of operating systems are copied like everything else. A link to a file inside the folder
    becomes that file.

    Args:
        folder: An existing folder.
        source: What people know it by.
        out: Where to; its files get ordinary modes, whatever those of the source are.

    Raises:
        FerflowError: A link leads out of the folder, to a folder or nowhere; something is no file; a name
            is not UTF-8; there is not one file, or no room on the disk.
        OSError: A file cannot be read or written.
    """
    files = _files_in(folder, source)
    if not files:
        raise FerflowError(f"{source} holds no file.")
    check_room(source, sum(path.stat().st_size for path in files.values()), out)
    checksums: dict[str, str] = {}
    for name, path in progress(files.items(), description="copy", unit="file", total=len(files)):
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        checksums[name] = _copy_file(path, target)
    return _sha256_of_tree({name: sha256 for name, sha256 in checksums.items() if not is_by_product(name)})


def _files_in(folder: Path, source: str) -> dict[str, Path]:
    """Return the files by their paths in the folder, with forward slashes."""
    root = folder.resolve()
    files: dict[str, Path] = {}
    for parent, folders, names in os.walk(root, onerror=_raise):
        folders.sort()
        for name in sorted(folders + names):
            path = Path(parent, name)
            relative = path.relative_to(root).as_posix()
            check_name(source, relative)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                _check_link(path, relative, root, source)
            if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                files[relative] = path
            elif not stat.S_ISDIR(mode):
                raise FerflowError(f"{source}: '{relative}' is neither a file nor a folder; refused.")
    return files


def _check_link(path: Path, relative: str, root: Path, source: str) -> None:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # Python 3.13 raises the former on a loop, older ones the latter
        raise FerflowError(f"{source}: the link '{relative}' leads nowhere: remove it.") from None
    if not target.is_relative_to(root):
        raise FerflowError(f"{source}: the link '{relative}' leads out of the folder; refused: {_REMEDY}")
    if not target.is_file():
        raise FerflowError(f"{source}: the link '{relative}' leads to a folder; refused: {_REMEDY}")


def _copy_file(path: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as source, target.open("wb") as copy:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            copy.write(chunk)
    return digest.hexdigest()


def _sha256_of_tree(checksums: Mapping[str, str]) -> str:
    # Some file systems decompose accents: the same name, in other bytes.
    return sha256_of_json(
        sorted([unicodedata.normalize("NFC", name), sha256] for name, sha256 in checksums.items())
    )


def _raise(error: OSError) -> None:
    raise error
