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
from ferflow.data.formats.csv_files import (
    CsvFile,
    csv_files,
    named_csv_file,
    only_csv_file,
)
from ferflow.data.formats.listing import find_file, inside, shown, shown_some
from ferflow.data.formats.rows import MalformedRowError
from ferflow.data.formats.usages import USAGE_WORDS, parse_usage
from ferflow.errors import FerflowError
from ferflow.params import LayoutParams

#: What such columns are usually called, in lower case, with `_` between words.
_USUAL_NAMES: Final = {
    "path": (
        "path",
        "file",
        "file_name",
        "filename",
        "file_path",
        "filepath",
        "image",
        "image_file",
        "image_name",
        "image_path",
        "img",
        "img_name",
        "img_path",
        "pth",
    ),
    "label": ("label", "labels", "label_name", "emotion", "expression", "class", "class_name", "category"),
    "split": ("split", "usage", "set", "subset", "partition"),
}
#: A table whose first images are not there lists something else, e.g. predictions.
_ROWS_TO_RECOGNISE: Final = 20


class _Columns(NamedTuple):
    path: int
    label: int
    split: int | None


def recognises(raw: Path, _layout: LayoutParams) -> bool:
    """Return whether a CSV file has columns of paths and labels, and some of its first images are there."""
    with contextlib.suppress(FerflowError):
        return any(_lists_images(raw, file) for file in csv_files(raw))
    return False


def read(raw: Path, layout: LayoutParams) -> Iterator[RawSample | Reject]:
    """Yield every row of the table, in its order.

    Args:
        raw: The unpacked data set.
        layout: Its `file` names the table, its `columns` their columns. Without `columns`, they are
            guessed from usual names.

    Raises:
        FerflowError: There is no such table, it is not clear which one or which column is meant, or
            the table is damaged.
    """
    file = named_csv_file(raw, layout.file) if layout.file else _only_table(raw, layout)
    columns = _columns(file, layout)
    listed: set[str] = set()
    for line, row in file.rows():
        item = _item(raw, file, columns, line, row)
        if isinstance(item, RawSample):
            if item.source in listed:
                item = Reject(
                    f"{file.name}:{line}",
                    "its image is listed before",
                    f"keep one of the rows of {shown(item.source)}",
                )
            else:
                listed.add(item.source)
        yield item


def _item(
    raw: Path, file: CsvFile, columns: _Columns, line: int, row: list[str] | None
) -> RawSample | Reject:
    source = f"{file.name}:{line}"
    try:
        fields = file.complete(row)
        places = _places(raw, file, fields[columns.path])
        usage = None if columns.split is None else _usage(fields[columns.split])
    except MalformedRowError as malformed:
        return Reject(source, malformed.reason, malformed.remedy)
    for place in places:
        if (path := find_file(raw, place)) is not None:
            label_name = unicodedata.normalize("NFC", fields[columns.label].strip())
            return RawSample(unicodedata.normalize("NFC", place), label_name, usage, path)
    return Reject(places[0], "its image is missing", f"put the image there, or remove {source}")


def _places(raw: Path, file: CsvFile, field: str) -> list[str]:
    """Return where in the raw folder a path may lead to, the likeliest first."""
    if not field.strip():
        raise MalformedRowError("no path", "give the path of its image, or remove the row")
    folder = file.path.parent.relative_to(raw).as_posix()
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


def _only_table(raw: Path, layout: LayoutParams) -> CsvFile:
    if layout.columns is None:
        fitting = [file for file in csv_files(raw) if _usual(file, "path") and _usual(file, "label")]
        return only_csv_file(raw, fitting, "path and label (or the like, see layout.columns)")
    needed = [name for name in (layout.columns.path, layout.columns.label, layout.columns.split) if name]
    fitting = [file for file in csv_files(raw) if set(needed) <= set(file.columns)]
    return only_csv_file(raw, fitting, ", ".join(map(shown, needed)))


def _columns(file: CsvFile, layout: LayoutParams) -> _Columns:
    named = layout.columns
    if named is None:
        return _Columns(_guessed(file, "path"), _guessed(file, "label"), _guessed_split(file))
    split = None if named.split is None else _named(file, named.split)
    return _Columns(_named(file, named.path), _named(file, named.label), split)


def _named(file: CsvFile, name: str) -> int:
    if name not in file.columns:
        raise FerflowError(
            f"{file.path} has no column {shown(name)} (found: {shown_some(file.columns)}): correct "
            "layout.columns in params.yaml."
        )
    return file.columns.index(name)


def _guessed(file: CsvFile, kind: str) -> int:
    usual = _usual(file, kind)
    if len(usual) != 1:
        found = usual or file.columns
        raise FerflowError(
            f"{file.path} has {'more than one' if usual else 'no'} column for the {kind} (found: "
            f"{shown_some(found)}): name the columns in params.yaml (layout.format: table and "
            "layout.columns)."
        )
    return file.columns.index(usual[0])


def _guessed_split(file: CsvFile) -> int | None:
    return _guessed(file, "split") if _usual(file, "split") else None


def _usual(file: CsvFile, kind: str) -> list[str]:
    """Return the columns that are called as columns of this kind usually are."""
    return [
        name
        for name in file.columns
        if name.lower().replace(" ", "_").replace("-", "_") in _USUAL_NAMES[kind]
    ]


def _lists_images(raw: Path, file: CsvFile) -> bool:
    if len(_usual(file, "label")) == 0 or len(paths := _usual(file, "path")) == 0:
        return False
    path = file.columns.index(paths[0])
    with contextlib.suppress(FerflowError):
        for _, row in islice(file.rows(), _ROWS_TO_RECOGNISE):
            with contextlib.suppress(MalformedRowError):
                places = _places(raw, file, file.complete(row)[path])
                if any(find_file(raw, place) is not None for place in places):
                    return True
    return False
