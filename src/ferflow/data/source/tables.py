"""A table, compressed or not, in; the same table under its own name out."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from ferflow.data.source.checks import CHUNK_BYTES, DamagedSourceError, check_expansion, check_name
from ferflow.data.source.kinds import HEAD_BYTES, decompressor, separator_of
from ferflow.errors import without_credentials
from ferflow.progress import progress

_SUFFIXES: Final = (".csv", ".tsv", ".lst", ".txt")
_SUFFIX_FOR: Final = {",": ".csv", ";": ".csv", "\t": ".tsv", " ": ".lst"}


def place_table(file: Path, source: str, folder: Path) -> None:
    """Write the table in `file` into `folder`, decompressed.

    Args:
        file: A table, or one compressed by gzip, bzip2 or xz.
        source: The path or address from which it is: its last part, without the suffix of a compression,
            names the table.
        folder: An empty folder.

    Raises:
        FerflowError: It is no table, or unpacks far beyond its own size.
        OSError: It cannot be read or written; so do EOFError, zlib.error and lzma.LZMAError.
    """
    shown = without_credentials(source)
    with file.open("rb") as stream:
        opens = decompressor(stream.read(HEAD_BYTES)) or open
    packed, written = file.stat().st_size, 0
    with opens(file, "rb") as stream:
        chunk = stream.read(HEAD_BYTES)
        separator = separator_of(chunk)
        if separator is None:
            raise DamagedSourceError(
                f"{shown} is compressed, but holds neither a tar archive nor a table: fetch it again if it "
                "is damaged, else unpack it and give what is in it as the source."
            )
        name = table_name(source, separator)
        check_name(shown, name)
        with (
            (folder / name).open("wb") as target,
            progress(description="unpack", unit="B", bytes_=True) as bar,
        ):
            while chunk:
                written += len(chunk)
                check_expansion(shown, packed, written)
                target.write(chunk)
                bar.update(len(chunk))
                chunk = stream.read(CHUNK_BYTES)


def table_name(source: str, separator: str) -> str:
    """Return the file name of a table: the last part of its path or address.

    Args:
        source: The path or address.
        separator: What separates its fields: it gives a suffix to a name that has none of a table.
    """
    path = unquote(urlsplit(source).path) if "://" in source else Path(source).as_posix()
    name = re.sub(r"[\\\0]", "_", PurePosixPath(path).name)
    name = re.sub(r"(?i)\.(gz|gzip|bz2|xz)$", "", name) or "table"
    return name if name.lower().endswith(_SUFFIXES) else name + _SUFFIX_FOR[separator]
