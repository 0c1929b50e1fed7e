"""The images that a command line names: files, folders, patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from ferflow.data.decode import FORMATS
from ferflow.data.formats.listing import begins_as_image, list_files, set_aside
from ferflow.errors import FerflowError

_PATTERN: Final = frozenset("*?[")


class Found(NamedTuple):
    """What names lead to.

    Attributes:
        paths: Of images, each once, in the order of the names.
        problems: What is wrong with names that lead to none.
    """

    paths: list[str]
    problems: list[str]


def found_images(names: Sequence[str]) -> Found:
    """Return the paths of all images that are named.

    A file is taken as it is named, whatever is in it. Of a folder those files are taken, at any depth, that
    begin as images or are called like one; hidden ones and by-products of operating systems are not.

    Args:
        names: Paths of files and folders, and patterns (`*`, `?`, `[…]`, `**`) for either.

    Raises:
        FerflowError: None of them leads to an image.
    """
    found: dict[str, None] = {}  # a set that keeps its order
    problems = []
    for name in names:
        try:
            found.update(dict.fromkeys(_images(name)))
        except FerflowError as error:
            problems.append(str(error))
    if not found:
        raise FerflowError(problems[0])
    return Found(list(found), problems)


def _images(name: str) -> list[str]:
    paths = _paths(name)
    images = [image for path in paths for image in (_in_folder(path) if path.is_dir() else [os.fspath(path)])]
    if not images:
        raise FerflowError(f"{name}: there is no image in it, at any depth.")
    return images


def _paths(name: str) -> list[Path]:
    path = Path(name)
    # A file may be called like a pattern.
    if os.path.lexists(path):
        return [path]
    if not _PATTERN & set(name):
        raise FerflowError(f"{name} is missing: give the path of an image, of a folder, or a pattern.")
    # Not by pathlib, whose patterns are relative to a folder, and whose `**` is of folders alone.
    matching = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
    if not matching:
        raise FerflowError(f"nothing matches {name}: is it written from the right folder?")
    return [Path(each) for each in matching]


def _in_folder(folder: Path) -> list[str]:
    names = [name for name in list_files(folder).files if set_aside(name) is None]
    return [os.fspath(folder / name) for name in names if _may_be_an_image(folder / name)]


def _may_be_an_image(path: Path) -> bool:
    # A damaged image is told by its name, so that it can be reported.
    return path.suffix.lower() in _suffixes() or begins_as_image(path)


def _suffixes() -> frozenset[str]:
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, format_ in known.items() if format_ in FORMATS)
