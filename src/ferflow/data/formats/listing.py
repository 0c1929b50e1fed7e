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

from PIL import Image

from ferflow.data.by_products import is_by_product
from ferflow.data.decode import FORMATS
from ferflow.data.formats import Reject
from ferflow.errors import FerflowError

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


def set_aside(name: str) -> str | None:
    """Return why a file is no part of the data set wherever it lies, or None if it may be one."""
    if is_by_product(name):
        return "by-product of an operating system"
    if "/." in name or name.startswith("."):
        # The last part is the file itself: `happy/.1.png` lies in no hidden folder.
        hidden_folder = any(part.startswith(".") for part in name.split("/")[:-1])
        return "lies in a hidden folder" if hidden_folder else "is a hidden file"
    return None


def begins_as_image(path: Path) -> bool:
    """Return whether a file's content, not its name, begins as an image's."""
    try:
        with Image.open(path, formats=FORMATS):
            return True
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return True
    except Exception:
        # Pillow's plug-ins raise whatever comes up on what they take for theirs.
        return False


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
