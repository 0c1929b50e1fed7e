"""A CSV or TSV file that lists images: a column of paths, one of labels, optionally one of splits.

    path,label,split
    faces/0001.png,happiness,train

Paths are relative to the table's folder or to the raw folder, with slashes of either kind.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from ferflow.data.formats import RawSample, Reject
from ferflow.data.formats.csv_files import CsvFile, csv_files
from ferflow.data.formats.listed_files import ListedFiles
from ferflow.data.formats.listing import find_file, inside, left_out, shown
from ferflow.data.formats.mentions import Mention, Mentions
from ferflow.data.formats.rows import MalformedRowError
from ferflow.data.formats.table_columns import (
    Columns,
    find_columns,
    find_table,
    seems_to_list_images,
    usual_path_column,
)
from ferflow.data.formats.usages import USAGE_WORDS, parse_usage
from ferflow.errors import FerflowError
from ferflow.params import LayoutParams

#: A table whose first images are not there lists something else, e.g. predictions.
_ROWS_TO_RECOGNISE: Final = 20
_MISSING: Final = "its image is missing"


class _Table(NamedTuple):
    file: CsvFile
    columns: Columns
    files: ListedFiles
    #: Where the table lies: relative to the raw folder.
    folder: str


def recognises(raw: Path, _layout: LayoutParams) -> bool:
    """Return whether a CSV file has columns of paths and labels, and some of its first images are there."""
    with contextlib.suppress(FerflowError):
        return any(_lists_images(raw, file) for file in csv_files(raw))
    return False


def read(raw: Path, layout: LayoutParams) -> Iterator[RawSample | Reject]:
    """Yield every row of the table, in its order, then every other file that no row names.

    A row that repeats an earlier one is left out. Where rows disagree about an image, none of them is a
    sample: the table is read twice, so that the first of them is none either.

    Args:
        raw: The unpacked data set.
        layout: Its `file` names the table, its `columns` their columns. Without `columns`, they are
            guessed from usual names.

    Raises:
        FerflowError: There is no such table, it is not clear which one or which column is meant, the
            table is damaged, or not one of its images is there.
    """
    table = _open(raw, layout)
    mentions = _mentions(table, layout)
    for line, row in table.file.rows():
        source = f"{table.file.name}:{line}"
        item = _mention(table, line, row)
        if isinstance(item, Reject):
            yield item
        elif (contradiction := mentions.contradictions.get(item.source)) is not None:
            yield Reject(source, contradiction, f"keep the row of {shown(item.source)} that is right")
        elif mentions.first[item.source].line != line:
            yield left_out(source, "repeats an earlier row")
        else:
            yield RawSample(item.source, item.label_name, item.usage, table.files.path(item.source))
    yield from table.files.not_named(table.file.name, mentions.first)


def named_images(raw: Path, layout: LayoutParams) -> tuple[str, int]:
    """Return the name of the table that `read` reads, and how many files below `raw` it names.

    Raises:
        FerflowError: As in `read`.
    """
    table = _open(raw, layout)
    return table.file.name, len(_mentions(table, layout).first)


def _open(raw: Path, layout: LayoutParams) -> _Table:
    file = find_table(raw, layout)
    folder = file.path.parent.relative_to(raw).as_posix()
    return _Table(file, find_columns(file, layout), ListedFiles(raw), folder)


def _mentions(table: _Table, layout: LayoutParams) -> Mentions:
    mentions = Mentions(layout.label_names)
    missing = None
    for line, row in table.file.rows():
        item = _mention(table, line, row)
        if isinstance(item, Mention):
            mentions.add(item)
        elif item.reason == _MISSING:
            missing = missing or item.source
    if missing is not None and not mentions.first:
        raise FerflowError(
            f"{table.file.path} lists images (e.g. {shown(missing)}), but not one of them is there: give the "
            "folder or the archive that holds the table and its images as `source`, or correct its paths."
        )
    return mentions


def _mention(table: _Table, line: int, row: list[str] | None) -> Mention | Reject:
    source = f"{table.file.name}:{line}"
    columns = table.columns
    try:
        fields = table.file.complete(row)
        places = _places(table.folder, fields[columns.path])
        usage = None if columns.split is None else _usage(fields[columns.split])
    except MalformedRowError as malformed:
        return Reject(source, malformed.reason, malformed.remedy)
    for place in places:
        if (found := table.files.find(place)) is not None:
            label_name = unicodedata.normalize("NFC", fields[columns.label].strip())
            return Mention(found, line, label_name, usage)
    return Reject(places[0], _MISSING, f"put the image there, or remove {source}")


def _places(folder: str, field: str) -> list[str]:
    """Return where in the raw folder a path may lead to, the likeliest first."""
    if not field.strip():
        raise MalformedRowError("no path", "give the path of its image, or remove the row")
    places = [place for base in (folder, "") if (place := inside(base, field)) is not None]
    if not places:
        raise MalformedRowError(
            f"path {shown(field)} leads out of the data set",
            "give it relative to the table, and keep the image beside or below it",
        )
    return places


def _usage(field: str) -> str | None:
    usage = parse_usage(field)
    if usage is None and field.strip():
        raise MalformedRowError(
            f"split {shown(field)} is unknown", f"use one of {USAGE_WORDS}, or leave it empty"
        )
    return usage


def _lists_images(raw: Path, file: CsvFile) -> bool:
    if not seems_to_list_images(file):
        return False
    path, folder = usual_path_column(file), file.path.parent.relative_to(raw).as_posix()
    with contextlib.suppress(FerflowError):
        for _, row in islice(file.rows(), _ROWS_TO_RECOGNISE):
            with contextlib.suppress(MalformedRowError):
                places = _places(folder, file.complete(row)[path])
                if any(find_file(raw, place) is not None for place in places):
                    return True
    return False
