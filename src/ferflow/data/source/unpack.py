"""An archive or a table in, its files out: where nothing can escape, and nothing is lost in silence."""

from __future__ import annotations

import errno
import lzma
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Final, Self

from ferflow.data.source.checks import (
    CHUNK_BYTES,
    DamagedSourceError,
    check_expansion,
    check_member,
    check_room,
)
from ferflow.data.source.kinds import Kind, kind_of
from ferflow.data.source.tables import place_table
from ferflow.errors import FerflowError, without_credentials
from ferflow.progress import progress

#: What the standard library raises on archives that are damaged, encrypted or packed by other methods.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    IndexError,
)


def unpack(file: Path, source: str, folder: Path) -> None:
    """Write what `file` holds into `folder`.

    Args:
        file: A zip or tar archive, or a table, compressed or not.
        source: The path or address from which it is, which names a table.
        folder: An empty folder.

    Raises:
        DamagedSourceError: It is none of them, is damaged, or holds no file.
        FerflowError: It is packed in a way that cannot be read here, the disk has no room for it, or a
            member is a link or would be written outside of the folder.
    """
    shown = without_credentials(source)
    try:
        match kind := kind_of(file):
            case Kind.ZIP:
                _unpack_zip(file, shown, folder)
            case Kind.TAR:
                _unpack_tar(file, shown, folder)
            case Kind.TABLE | Kind.COMPRESSED:
                place_table(file, source, folder)
            case Kind.UNKNOWN:
                raise DamagedSourceError(
                    f"{shown} is neither a zip nor a tar archive nor a table, or is damaged: fetch it again."
                )
            case _:
                raise FerflowError(
                    f"{shown} is packed as {kind.value}, which is not read here: unpack it, and give the "
                    "folder as the source."
                )
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise FerflowError(f"{shown} does not fit on the disk at {folder.parent}: make room.") from None
        raise DamagedSourceError(
            f"{shown} cannot be unpacked ({error}): it is damaged or encrypted; fetch it again."
        ) from None
    if not any(path.is_file() for path in folder.rglob("*")):
        raise DamagedSourceError(f"{shown} holds no file.")


def _unpack_zip(archive: Path, source: str, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        members = content.infolist()
        _check_size(source, archive, sum(member.file_size for member in members), folder)
        for member in members:
            # Some tools on Windows separate folders so; here it would be part of a file's name.
            member.filename = member.filename.replace("\\", "/")
            check_member(source, member.filename, is_link=stat.S_ISLNK(member.external_attr >> 16))
        for member in progress(members, description="unpack", unit="file"):
            content.extract(member, folder)


class _Member(tarfile.TarInfo):
    """A member of an archive that says where it ends.

    tarfile takes a missing, cut or damaged header for the end, and forgets all members behind it.
    """

    @classmethod
    def fromtarfile(cls, content: tarfile.TarFile) -> Self:
        """Return the next member, or raise what ends the archive."""
        try:
            return super().fromtarfile(content)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # the block of zeros behind the last member
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {content.offset:,}") from None


def _unpack_tar(archive: Path, source: str, folder: Path) -> None:
    with tarfile.open(archive, tarinfo=_Member) as content:
        members = content.getmembers()
        _check_size(source, archive, sum(member.size for member in members), folder)
        for member in members:
            check_member(source, member.name, is_link=not (member.isfile() or member.isdir()))
            member.mode = 0o755 if member.isdir() else 0o644
        # The checksum of a compressed stream stands at its end, which tarfile does not read by itself.
        while content.fileobj and content.fileobj.read(CHUNK_BYTES):
            pass
        if hasattr(tarfile, "data_filter"):
            # Younger than Python 3.11.0; what it would refuse has been refused above.
            content.extraction_filter = tarfile.data_filter
        for member in progress(members, description="unpack", unit="file"):
            content.extract(member, folder)


def _check_size(source: str, archive: Path, unpacked: int, folder: Path) -> None:
    check_expansion(source, archive.stat().st_size, unpacked)
    check_room(source, unpacked, folder)
