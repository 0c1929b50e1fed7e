"""Which layout a raw folder has."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final, cast

from ferflow.data.formats import Reader, class_folders, table
from ferflow.data.formats.csv_files import is_csv_file, open_csv_file
from ferflow.data.formats.listing import begins_as_image, list_files, set_aside, shown_some, source_name
from ferflow.data.formats.table_columns import seems_to_list_images
from ferflow.errors import FerflowError
from ferflow.params import LayoutParams

#: In the order in which they are asked: the more particular ones first.
LAYOUTS: Final = ("expw", "fer2013_csv", "table", "fer2013_folders", "class_folders")


def find_reader(raw: Path, layout: LayoutParams) -> tuple[str, Reader]:
    """Return the name of the layout of a raw folder, and the module that reads it.

    Args:
        raw: The unpacked data set.
        layout: Its `format` is the layout's name, or `auto` for the first one that recognises the folder.

    Raises:
        FerflowError: There is no such folder, no layout recognises it, or a table names fewer images than
            lie in folders of emotions, so that it is not clear which of the two is meant.
    """
    if layout.format != "auto":
        return layout.format, _reader(layout.format)
    for name in LAYOUTS:
        reader = _reader(name)
        if reader.recognises(raw, layout):
            if name == "table":
                _refuse_fewer_than_in_folders(raw, layout)
            return name, reader
    names = [name for name in list_files(raw).files if set_aside(name) is None]
    _refuse_tables_alone(raw, layout, names)
    raise FerflowError(
        f"{raw} has none of the layouts {', '.join(LAYOUTS)} (found: {shown_some(map(source_name, names))}): "
        "name its layout in params.yaml (layout.format), and what it calls the emotions (layout.aliases)."
    )


def _reader(name: str) -> Reader:
    return cast(Reader, importlib.import_module(f"ferflow.data.formats.{name}"))


def _refuse_fewer_than_in_folders(raw: Path, layout: LayoutParams) -> None:
    """Refuse a table beside more images than it names, in folders that say what they are."""
    members = list(class_folders.members(raw, layout))
    if not members:
        return
    file, named = table.named_images(raw, layout)
    if len(members) <= named:
        return
    # Only now, as it opens every file.
    in_folders = sum(begins_as_image(raw / name) for name in members)
    if in_folders > named:
        folders = "fer2013_folders" if _reader("fer2013_folders").recognises(raw, layout) else "class_folders"
        raise FerflowError(
            f"{raw}: {file} names {named:,} images, but {in_folders:,} lie in folders of emotions: say in "
            f"params.yaml which of the two is meant (layout.format: table, or layout.format: {folders})."
        )


def _refuse_tables_alone(raw: Path, layout: LayoutParams, names: list[str]) -> None:
    """Say what is wrong with the tables of a folder without a single image."""
    if any(begins_as_image(raw / name) for name in names):
        return
    for name in names:
        if is_csv_file(name) and seems_to_list_images(open_csv_file(raw, name)):
            next(table.read(raw, layout), None)
