"""Which columns of a table tell the path, the label and the split: as params.yaml says, or by usual names."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from ferflow.data.formats.csv_files import CsvFile, csv_files, named_csv_file, only_csv_file
from ferflow.data.formats.listing import shown, shown_some
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


class Columns(NamedTuple):
    """The columns that are read, by their places in a row, from 0; `split` is None where there is none."""

    path: int
    label: int
    split: int | None


def find_table(raw: Path, layout: LayoutParams) -> CsvFile:
    """Return the table below `raw` that lists images.

    Raises:
        FerflowError: There is none, or it is not clear which one is meant.
    """
    if layout.file:
        return named_csv_file(raw, layout.file)
    if layout.columns is None:
        fitting = [file for file in csv_files(raw) if seems_to_list_images(file)]
        return only_csv_file(raw, fitting, "path and label (or the like, see layout.columns)")
    needed = [name for name in (layout.columns.path, layout.columns.label, layout.columns.split) if name]
    fitting = [file for file in csv_files(raw) if set(needed) <= set(file.columns)]
    return only_csv_file(raw, fitting, ", ".join(map(shown, needed)))


def seems_to_list_images(file: CsvFile) -> bool:
    """Return whether there are columns that are called as those of paths and labels usually are."""
    return bool(_usual(file, "path") and _usual(file, "label"))


def usual_path_column(file: CsvFile) -> int:
    """Return the first column that is called as one of paths usually is; there is one."""
    return file.columns.index(_usual(file, "path")[0])


def find_columns(file: CsvFile, layout: LayoutParams) -> Columns:
    """Return the columns that `layout.columns` names, or those with usual names where it is None.

    Raises:
        FerflowError: One is missing, or it is not clear which one is meant.
    """
    named = layout.columns
    if named is None:
        return Columns(_guessed(file, "path"), _guessed(file, "label"), _guessed_split(file))
    split = None if named.split is None else _named(file, named.split)
    return Columns(_named(file, named.path), _named(file, named.label), split)


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
