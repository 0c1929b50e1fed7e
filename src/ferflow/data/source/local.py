"""Sources on this machine: their paths, and the checksum that pins one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ferflow.data.source.folders import sha256_of_folder
from ferflow.errors import FerflowError, without_credentials
from ferflow.files import sha256_of_file


def local_path(source: str) -> Path | None:
    """Return the path of a source on this machine; None if it is an address elsewhere."""
    if source.startswith("file://"):
        return Path(source.removeprefix("file://"))
    return None if "://" in source else Path(source)


def local_sha256(source: str) -> str | None:
    """Return the checksum by which params.yaml pins a source on this machine.

    That of a file is the SHA-256 of its bytes; that of a folder is the SHA-256 of its files' names and
    checksums, without the by-products of operating systems (.DS_Store, Thumbs.db, ...).

    Args:
        source: A path or an address.

    Returns:
        64 lowercase hexadecimal digits; None for an address, whose content is known once it is fetched.

    Raises:
        FerflowError: There is nothing, or it cannot be read.
    """
    path = local_path(source)
    if path is None:
        return None
    shown = without_credentials(source)
    require(path, shown)
    with readable(shown):
        return sha256_of_folder(path, shown) if path.is_dir() else sha256_of_file(path)


@contextlib.contextmanager
def readable(shown: str) -> Iterator[None]:
    """Turn what the system says of files inside the block into one line about the source.

    Raises:
        FerflowError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise FerflowError(
            f"{shown} cannot be read in ({error}): correct the rights of that file, or make room."
        ) from None


def require(path: Path, shown: str) -> None:
    """Refuse a path at which there is neither a file nor a folder.

    Raises:
        FerflowError: There is nothing, or a device or the like.
    """
    if not path.exists():
        raise FerflowError(
            f"{shown} does not exist: correct the path (SOURCE=, or the data set's `source` in params.yaml)."
        )
    if not path.is_file() and not path.is_dir():
        raise FerflowError(f"{shown} is neither a file nor a folder: correct `source` in params.yaml.")
