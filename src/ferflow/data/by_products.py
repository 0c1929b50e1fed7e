"""What operating systems leave behind in folders that somebody has looked into."""

from __future__ import annotations

from typing import Final

#: Files and folders, in lower case. The name of a folder's icon on macOS ends in a carriage return.
_NAMES: Final = frozenset({"__macosx", ".ds_store", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini"})
#: What macOS puts beside a file on a disk that is not its own.
_PREFIX: Final = "._"


def is_by_product(name: str) -> bool:
    """Return whether `name` is, or lies in, what an operating system left behind.

    Args:
        name: A path relative to the data set, with forward slashes.
    """
    return any(part.startswith(_PREFIX) or part.lower() in _NAMES for part in name.split("/"))
