"""Lines and rows of text files: each told apart, however damaged its neighbours are."""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TextIO, cast

from ferflow.errors import FerflowError

_OPENERS: Final[dict[bytes, Callable[..., object]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
#: What they raise on a damaged file.
_DAMAGE: Final = (OSError, EOFError, zlib.error, lzma.LZMAError)

#: In characters: a quoted field that is longer was never closed. An image of 1024 × 1024 needs 4 million.
_LONGEST_FIELD: Final = 1 << 24


class MalformedRowError(Exception):
    """A row that is no sample.

    Attributes:
        reason: What is wrong with it.
        remedy: What its owner can do.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a text file in UTF-8, plain or compressed, in any style of line ends.

    Other bytes become U+FFFD, so that one of them costs a row and not the file.

    Raises:
        FerflowError: The file cannot be read, or turns out to be damaged.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
        opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), open)
        with cast(TextIO, opener(path, "rt", encoding="utf-8-sig", errors="replace")) as text:
            yield text
    except _DAMAGE as error:
        raise FerflowError(f"{path} cannot be read ({error}): it is damaged; fetch it again.") from None


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file that `open_text` opens, each with its end as a line feed.

    Raises:
        FerflowError: The file cannot be read or is damaged.
    """
    with open_text(path) as text:
        yield from text


def split_rows(lines: Iterator[str], delimiter: str, width: int) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the line (the first is 1) and the fields of every row, empty lines left out.

    Fields may be quoted, also over several lines. Where quotes are wrong, the fields are None, the row
    is the one line, and the next line is a row again.

    Args:
        lines: Each with its end.
        delimiter: What separates fields.
        width: Number of fields that a row over several lines must have.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    numbered = _Lines(lines)
    for line in numbered:
        start = numbered.count
        if line.isspace():
            continue
        if '"' not in line:
            # By far the most rows; the csv module would look at every character of theirs.
            yield start, line.rstrip("\n").split(delimiter)
            continue
        yield start, _quoted_row(line, numbered, delimiter, width)


def _quoted_row(line: str, below: _Lines, delimiter: str, width: int) -> list[str] | None:
    """Return the fields of a row that begins with `line` and may run over lines below it."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        yield line
        for another in below:
            taken.append(another)
            yield another

    try:
        fields = next(csv.reader(lines(), delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:
        fields = None
    if taken and (fields is None or len(fields) != width):
        # A quote that is never closed must not take the rows below it along.
        below.give_back(taken)
        return None
    return fields


class _Lines:
    """Lines that are counted and can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._given_back: list[str] = []
        self.count = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._given_back.pop() if self._given_back else next(self._lines)
        self.count += 1
        return line

    def give_back(self, lines: list[str]) -> None:
        """Let the last lines that were taken come again."""
        self._given_back.extend(reversed(lines))
        self.count -= len(lines)
