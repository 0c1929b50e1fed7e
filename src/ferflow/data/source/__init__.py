"""Where a data set comes from: an archive, a folder, a table or an address in, the raw folder out.

    address ──cache──▶ file ──kinds──▶ archive ──unpack──▶ raw folder
                                       table ────tables──▶
    folder ─────────────────────────────────────folders──▶

`cache` asks `transfer` for what it does not hold, and that asks `http` or `stores`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferflow.data.source.cache import Origin, cached
from ferflow.data.source.folders import copy_folder
from ferflow.data.source.local import local_path, local_sha256, readable, require
from ferflow.data.source.unpack import unpack
from ferflow.errors import FerflowError, without_credentials
from ferflow.files import atomic_folder

__all__ = ["Fetched", "Origin", "fetch_source", "local_path", "local_sha256", "require_apart"]

_FETCH_AGAIN: Final = "fetch it again, or correct `sha256` in params.yaml"
_PIN_AGAIN: Final = (
    "bring the old content back or, if the new one is meant, choose the data set again, which pins it "
    "(`make dataset NAME=…`)"
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was brought in.

    Attributes:
        sha256: Checksum of the file or, for a folder, of its files and their names.
        origin: Whether it was read from disk, fetched, or taken from the cache, and why.
    """

    sha256: str
    origin: Origin


def fetch_source(
    source: str, sha256: str | None, out: Path, *, wait: Callable[[float], None] = time.sleep
) -> Fetched:
    """Bring the data set at `source` into the folder `out`, whole or not at all.

    An archive (zip, tar, tar.gz, tar.bz2, tar.xz) is unpacked; a folder is copied; a table (csv, tsv, lst)
    is copied under its name, and unpacked first where it is compressed by gzip, bzip2 or xz. Which of them
    a file is, is told by its content.

    Args:
        source: A path, or an address: http(s), or any scheme that fsspec knows, such as s3 and gs.
        sha256: The expected checksum in hexadecimal, or None to accept any. See `local_sha256`.
        out: The folder to make. It keeps what it held until the new content is complete.
        wait: Waits that many seconds before a broken transfer goes on.

    Raises:
        FerflowError: The source cannot be reached or read, has another checksum, is of no kind above, is
            damaged, holds no file, or has a member that is a link or would be written outside of `out`.
    """
    shown = without_credentials(source)
    path = local_path(source)
    if path is None:
        with cached(source, sha256, wait) as copy:
            _verify(shown, copy.sha256, sha256, _FETCH_AGAIN)
            with atomic_folder(out) as folder:
                unpack(copy.file, source, folder)
        return Fetched(copy.sha256, copy.origin)
    require(path, shown)
    require_apart(path, shown, out)
    if path.is_dir():
        with atomic_folder(out) as folder:
            with readable(shown):
                found = copy_folder(path, shown, folder)
            _verify(shown, found, sha256, _PIN_AGAIN)
    else:
        found = local_sha256(source) or ""
        _verify(shown, found, sha256, _PIN_AGAIN)
        with atomic_folder(out) as folder:
            unpack(path, source, folder)
    return Fetched(found, Origin.LOCAL)


def _verify(shown: str, found: str, expected: str | None, remedy: str) -> None:
    if expected is not None and found != expected:
        raise FerflowError(
            f"{shown} has sha256 {found}, expected {expected}: it is damaged or another version; {remedy}."
        )


def require_apart(source_path: Path, shown: str, out: Path) -> None:
    """Refuse a source that the raw folder `out` would replace, or that would hold itself.

    Raises:
        FerflowError: One of the two contains the other.
    """
    source, target = source_path.resolve(), out.resolve()
    if source.is_relative_to(target):
        raise FerflowError(f"{shown} lies in {out}, which is about to be replaced: move it elsewhere.")
    if target.is_relative_to(source):
        raise FerflowError(f"{shown} contains {out}, where it is to be copied: give a folder of images only.")
