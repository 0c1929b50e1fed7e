"""What lies in a raw folder: in an order of its own, under names that every system shares."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from ferflow.data.formats import Reject
from ferflow.errors import FerflowError

#: Files and folders that operating systems leave behind, in lower case.
_BY_PRODUCTS: Final = frozenset({"__macosx", ".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"})
#: What macOS puts beside a file on a disk that is not its own.
_BY_PRODUCT_PREFIX: Final = "._"

_DRIVE: Final = re.compile("[A-Za-z]:")
_MOST_CHARACTERS: Final = 60
_MOST_WORDS: Final = 5


class Listing(NamedTuple):
    """Names of what lies below a folder, relative to it, with forward slashes, each list sorted.

    Attributes:
        files: Regular files, and links to such.
        others: Links to folders or to nothing, pipes, devices: what must not be opened.
    """

    files: list[str]
    others: list[str]


def list_files(raw: Path) -> Listing:
    """Return the names of everything below `raw` but folders, in the order of `source_name`.

    Links to folders are not followed: they may lead in circles.

    Raises:
        FerflowError: There is no such folder, or one in it cannot be listed.
    """
    if not raw.is_dir():
        raise FerflowError(f"{raw} is missing: run `dvc repro` to make it.")
    listing = Listing([], [])
    folders = [""]
    while folders:
        prefix = folders.pop()
        try:
            with os.scandir(raw / prefix) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{prefix}{entry.name}/")
                    else:
                        names = listing.files if entry.is_file() else listing.others
                        names.append(prefix + entry.name)
        except OSError as error:
            raise FerflowError(
                f"{raw / prefix} cannot be listed ({error.strerror}): make it readable."
            ) from None
    for names in listing:
        names.sort()  # for names that differ in their Unicode form alone
        names.sort(key=source_name)
    return listing


def source_name(name: str) -> str:
    """Return a file's name as people and other systems know it: composed (NFC), and valid Unicode."""
    if name.isascii():
        return name
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))


def is_by_product(name: str) -> bool:
    """Return whether `name` is, or lies in, what an operating system left behind."""
    return any(
        part.lower() in _BY_PRODUCTS or part.startswith(_BY_PRODUCT_PREFIX) for part in name.split("/")
    )


def left_out(source: str, reason: str) -> Reject:
    """Return the reject for what is rightly no sample."""
    return Reject(source, reason, "nothing to do: it is left out", defect=False)


def inside(folder: str, path: str) -> str | None:
    """Return where a path that a table gives leads to inside of the raw folder, or None if it leaves it.

    Args:
        folder: The folder that `path` is relative to, itself relative to the raw folder.
        path: With slashes of either kind.
    """
    path = path.strip().replace("\\", "/")
    if path.startswith("/") or _DRIVE.match(path):
        return None
    found = posixpath.normpath(posixpath.join(folder, path))
    return None if found == ".." or found.startswith("../") else found


def find_file(raw: Path, name: str) -> Path | None:
    """Return the regular file `name` below `raw` in whatever Unicode form it has there, or None."""
    forms = [name]
    if not name.isascii():
        forms += [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    for form in forms:
        path = raw / form
        try:
            if path.is_file():
                return path
        except OSError:
            # A name that no file system takes, or a folder that may not be entered.
            continue
    return None


def shown(word: str) -> str:
    """Return a word of the data in quotes, fit for a message: on one line, and not too long."""
    text = word if word.isprintable() else word.encode("unicode_escape").decode("ascii")
    return f"'{text}'" if len(text) <= _MOST_CHARACTERS else f"'{text[: _MOST_CHARACTERS - 1]}…'"


def shown_some(words: Iterable[str]) -> str:
    """Return the first few words of the data for a message, or `nothing`."""
    some = [shown(word) for word in islice(words, _MOST_WORDS + 1)]
    return ", ".join(some[:_MOST_WORDS] + ["…"] * (len(some) > _MOST_WORDS)) or "nothing"
