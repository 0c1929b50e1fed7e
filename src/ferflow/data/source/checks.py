"""What no source may do: write outside of its folder, bring links, fill the disk."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from ferflow.errors import FerflowError

CHUNK_BYTES = 1 << 20
#: Images and tables barely compress; what unpacks to more than this many times its size is a bomb.
MAX_EXPANSION = 200


class DamagedSourceError(FerflowError):
    """What was read is no data set or is damaged, so that a kept copy of it is of no use."""


def check_member(source: str, name: str, *, is_link: bool) -> None:
    """Refuse a member of an archive that is not a plain file or folder inside of it.

    Args:
        source: What people know the archive by.
        name: The member's path.
        is_link: Whether it is a link, a device or the like.

    Raises:
        FerflowError: It is a link, its path leads outside, or its name is not UTF-8.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    drive = bool(path.parts) and path.parts[0].endswith(":")
    if path.is_absolute() or drive or ".." in path.parts:
        raise FerflowError(f"{source}: member '{name}' would be written outside of its folder; refused.")
    if is_link:
        raise FerflowError(f"{source}: member '{name}' is a link or device; refused.")
    check_name(source, name)


def check_name(source: str, name: str) -> None:
    """Refuse a name that is not UTF-8.

    Raises:
        FerflowError: It holds bytes that are no UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise FerflowError(f"{source}: the name of {name!a} is not UTF-8: rename it.") from None


def check_expansion(source: str, packed: int, unpacked: int) -> None:
    """Refuse what unpacks far beyond its own size.

    Args:
        source: What people know it by.
        packed: Its size in bytes.
        unpacked: The size in bytes to which it unpacks, or has unpacked so far.

    Raises:
        FerflowError: `unpacked` is more than `MAX_EXPANSION` times `packed`.
    """
    if unpacked > MAX_EXPANSION * max(packed, CHUNK_BYTES):
        raise FerflowError(
            f"{source} would unpack to {unpacked:,} bytes or more, far beyond its own size; refused."
        )


def check_room(source: str, needed: int, folder: Path) -> None:
    """Refuse what the disk has no room for.

    Args:
        source: What people know it by.
        needed: Bytes still to be written.
        folder: Where; it exists.

    Raises:
        FerflowError: Fewer bytes are free there.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise FerflowError(f"{source} needs {needed:,} bytes; only {free:,} are free at {folder.parent}.")
