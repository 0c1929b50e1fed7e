"""Which layout a raw folder has."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final, cast

from ferflow.data.formats import Reader
from ferflow.data.formats.listing import is_by_product, list_files, shown_some, source_name
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
        FerflowError: There is no such folder, or no layout recognises it.
    """
    if layout.format != "auto":
        return layout.format, _reader(layout.format)
    for name in LAYOUTS:
        reader = _reader(name)
        if reader.recognises(raw, layout):
            return name, reader
    names = (source_name(name) for name in list_files(raw).files if not is_by_product(name))
    raise FerflowError(
        f"{raw} has none of the layouts {', '.join(LAYOUTS)} (found: {shown_some(names)}): name its "
        "layout in params.yaml (layout.format), and what it calls the emotions (layout.aliases)."
    )


def _reader(name: str) -> Reader:
    # By name, so that a layout is loaded only where it is asked for.
    return cast(Reader, importlib.import_module(f"ferflow.data.formats.{name}"))
