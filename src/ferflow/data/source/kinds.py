"""What a file is, told by its content: an archive, a table, or neither."""

from __future__ import annotations

import bz2
import enum
import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

#: Enough for two rows of a table whose rows are images, and for the first header of a tar.
HEAD_BYTES: Final = 1 << 20
_BLOCK: Final = tarfile.BLOCKSIZE

_COMPRESSIONS: Final[tuple[tuple[re.Pattern[bytes], Callable[..., IO[Any]]], ...]] = (
    (re.compile(rb"\x1f\x8b"), gzip.open),
    (re.compile(rb"BZh[1-9]1AY&SY"), bz2.open),
    (re.compile(rb"\xfd7zXZ\0"), lzma.open),
)
_FOREIGN: Final = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"\x28\xb5\x2f\xfd": "zstd"}
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class Kind(enum.Enum):
    """What is done with a file: an archive is unpacked, a table is copied."""

    ZIP = "zip"
    TAR = "tar"
    TABLE = "table"
    COMPRESSED = "compressed"
    SEVEN_ZIP = "7z"
    RAR = "rar"
    ZSTD = "zstd"
    UNKNOWN = "unknown"


def kind_of(file: Path) -> Kind:
    """Return what a file is.

    `TAR` is one with or without compression; `COMPRESSED` is gzip, bzip2 or xz around anything else, or
    around something that cannot be read.

    Args:
        file: An existing file.
    """
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            return Kind(name)
    if (decompressed := decompressor(head)) is not None:
        try:
            with decompressed(file, "rb") as stream:
                return Kind.TAR if _begins_tar(stream.read(_BLOCK)) else Kind.COMPRESSED
        except (OSError, EOFError, zlib.error, lzma.LZMAError):
            return Kind.COMPRESSED
    # Before zip: a tar whose last member is a zip ends like one.
    if _begins_tar(head[:_BLOCK]):
        return Kind.TAR
    if zipfile.is_zipfile(file):
        return Kind.ZIP
    return Kind.UNKNOWN if separator_of(head) is None else Kind.TABLE


def decompressor(head: bytes) -> Callable[..., IO[Any]] | None:
    """Return what opens a file that begins with `head` decompressed; None if it is not compressed."""
    return next((opens for magic, opens in _COMPRESSIONS if magic.match(head)), None)


def separator_of(head: bytes) -> str | None:
    """Return what separates the fields of a table: `,` `;` a tab, or a space for any white space.

    A table is text whose first two lines have the same number of fields, at least two. White space
    separates words as well, so there the last field must be a number, as in the lists of RAF-DB and ExpW.

    Args:
        head: The beginning of the file, both lines in it.

    Returns:
        The separator, or None if this is no table.
    """
    try:
        # The last character may be cut.
        text = re.sub(rb"[\xc0-\xff][\x80-\xbf]{0,2}\Z", b"", head).decode("utf-8-sig")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    if _NO_TEXT.search(text):
        return None
    lines = [line for line in re.split(r"\r\n?|\n", text) if line.strip()][:2]
    if len(lines) < 2 or lines[0].lstrip()[0] in "<{[":  # web pages and JSON have commas too
        return None
    # A separator inside of quotes is part of a field.
    plain = [re.sub(r'"[^"]*"', "quoted", line) for line in lines]
    for separator in ",;\t":
        if plain[0].count(separator) == plain[1].count(separator) > 0:
            return separator
    first, second = (line.split() for line in lines)
    numbers = all(re.fullmatch(r"-?\d+(\.\d+)?", fields[-1]) for fields in (first, second))
    return " " if len(first) == len(second) > 1 and numbers else None


def _begins_tar(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True
