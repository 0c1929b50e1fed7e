"""CSV files below a raw folder: found by their headers, or named; read row by row."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferflow.data.formats.listing import (
    find_file,
    inside,
    list_files,
    set_aside,
    shown,
    shown_some,
    source_name,
)
from ferflow.data.formats.rows import MalformedRowError, open_text, read_lines, split_rows
from ferflow.errors import FerflowError

_COMPRESSED: Final = (".gz", ".bz2", ".xz")
_SUFFIXES: Final = (".csv", ".tsv")
_DELIMITERS: Final = (",", "\t", ";", "|")

#: A header is looked for in so many characters.
_LONGEST_HEADER: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file with a header, plain or compressed.

    Attributes:
        path: Where it is.
        name: Its name inside the raw folder, as `source_name` has it.
        columns: The words of its header, without blanks around them.
        delimiter: What separates its fields.
    """

    path: Path
    name: str
    columns: tuple[str, ...]
    delimiter: str

    def rows(self) -> Iterator[tuple[int, list[str] | None]]:
        """Yield the line (the first is 1) and the fields of every row below the header, empty lines left out.

        The fields are None where quotes are wrong.

        Raises:
            FerflowError: The file is damaged, or has no rows.
        """
        rows = split_rows(read_lines(self.path), self.delimiter, len(self.columns))
        next(rows, None)
        empty = True
        for row in rows:
            empty = False
            yield row
        if empty:
            raise FerflowError(f"{self.path} has no rows below its header: fetch it again.")

    def complete(self, fields: list[str] | None) -> list[str]:
        """Return the fields of a row if it has one for each column.

        Raises:
            MalformedRowError: It has not.
        """
        if fields is None:
            raise MalformedRowError("a quote is not closed, or stands in the wrong place", "correct the row")
        if len(fields) != len(self.columns):
            raise MalformedRowError(
                f"{len(fields)} fields instead of {len(self.columns)}",
                f"correct the row; the columns are {', '.join(self.columns)}",
            )
        return fields


def csv_files(raw: Path) -> list[CsvFile]:
    """Return the CSV files below `raw` that have a header, in the order of their names.

    Raises:
        FerflowError: `raw` cannot be listed.
    """
    found = []
    for name in list_files(raw).files:
        if is_csv_file(name) and set_aside(name) is None:
            with contextlib.suppress(FerflowError):
                found.append(open_csv_file(raw, name))
    return found


def is_csv_file(name: str) -> bool:
    """Return whether a file is called as a CSV file is, compressed or not."""
    name = name.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    return name.endswith(_SUFFIXES)


def open_csv_file(raw: Path, name: str) -> CsvFile:
    """Return the CSV file `name` below `raw`.

    Raises:
        FerflowError: It is empty, begins with no header, or is damaged.
    """
    return _open(raw / name, source_name(name))


def named_csv_file(raw: Path, name: str) -> CsvFile:
    """Return the CSV file that `layout.file` names.

    Raises:
        FerflowError: There is none of that name below `raw`, or it is no CSV file.
    """
    within = inside("", name)
    path = find_file(raw, within) if within else None
    if within is None or path is None:
        raise FerflowError(
            f"{raw} has no file {shown(name)} (found: {_names(csv_files(raw))}): correct layout.file in "
            "params.yaml."
        )
    return _open(path, unicodedata.normalize("NFC", within))


def only_csv_file(raw: Path, candidates: list[CsvFile], needed: str) -> CsvFile:
    """Return the one candidate.

    Args:
        raw: Where they were looked for.
        candidates: The CSV files with the right columns.
        needed: Which columns these are, for a message.

    Raises:
        FerflowError: There is none, or more than one.
    """
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise FerflowError(
            f"{raw} has no CSV file with the columns {needed} (found: {_names(csv_files(raw))}): correct its "
            "header, or name the file in params.yaml (layout.format and layout.file)."
        )
    raise FerflowError(
        f"{raw} has {len(candidates)} CSV files with the columns {needed} ({_names(candidates)}): name one "
        "of them in params.yaml (layout.format and layout.file)."
    )


def _names(files: list[CsvFile]) -> str:
    return shown_some(file.name for file in files)


def _open(path: Path, name: str) -> CsvFile:
    header = "\n"
    with open_text(path) as text:
        while header.isspace():
            header = text.readline(_LONGEST_HEADER)
    splits = {delimiter: _fields(header, delimiter) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda delimiter: len(splits[delimiter] or ()))
    columns = tuple(word.strip() for word in splits[delimiter] or ())
    if not header:
        raise FerflowError(f"{path} has no rows, it is empty: fetch it again.")
    if not columns or len(header) == _LONGEST_HEADER:
        raise FerflowError(f"{path} does not begin with a header: name another file in layout.file.")
    return CsvFile(path, name, columns, delimiter)


def _fields(line: str, delimiter: str) -> list[str] | None:
    return next(split_rows(iter([line]), delimiter, width=0), (0, None))[1]
