"""Folders of classes at any depth, with or without split folders above or below them.

    [<anything>/][<split>/]<emotion>/[<anything>/]<image>

The innermost folder that is named after a class tells the emotion, the innermost split folder the split.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ferflow.data.formats import RawSample, Reject
from ferflow.data.formats.listing import (
    Listing,
    begins_as_image,
    left_out,
    list_files,
    set_aside,
    shown,
    shown_some,
    source_name,
)
from ferflow.data.formats.usages import parse_usage
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS, LabelNames
from ferflow.params import LayoutParams

_WAYS_OUT: Final = (
    f"give it one of the names {', '.join(EMOTIONS)}, or say in params.yaml which it means (layout.aliases) "
    "or that it is left out (layout.drop)"
)


class Place(NamedTuple):
    """What the folders of a file say about it.

    Attributes:
        label_name: The innermost folder that is a class; None if none is.
        usage: What the innermost split folder declares; None if there is none.
        innermost: The innermost folder that is no split; empty if there is none.
    """

    label_name: str | None
    usage: str | None
    innermost: str


def recognises(raw: Path, layout: LayoutParams) -> bool:
    """Return whether any file lies below a folder that is named after a class."""
    with contextlib.suppress(FerflowError):
        return any(True for _ in members(raw, layout))
    return False


def members(raw: Path, layout: LayoutParams) -> Iterator[str]:
    """Yield the names of the files below folders that are named after classes.

    Raises:
        FerflowError: There is no such folder, or one in it cannot be listed.
    """
    place = places(layout.label_names)
    for name in list_files(raw).files:
        if place(name).label_name is not None and set_aside(name) is None:
            yield name


def read(raw: Path, layout: LayoutParams) -> Iterator[RawSample | Reject]:
    """Yield every file below `raw`, in the order of their names, whatever the file system.

    Args:
        raw: The unpacked data set.
        layout: What it calls its classes.

    Raises:
        FerflowError: There is no such folder, no file in it, or no folder that is named after a class.
    """
    listing = list_files(raw)
    if not listing.files:
        raise FerflowError(f"{raw} has no files: the data set must hold one folder for each emotion.")
    place = places(layout.label_names)
    _require_a_class(raw, listing, place)
    for name in listing.others:
        yield _no_file(source_name(name))
    previous = None
    for name in listing.files:
        source = source_name(name)
        if (reason := set_aside(name)) is not None:
            yield left_out(source, reason)
        elif source == previous:
            yield Reject(source, "another file's name differs in its Unicode form only", "rename one of them")
        else:
            yield _in_its_place(source, raw / name, place(name))
        previous = source


def places(label_names: LabelNames) -> Callable[[str], Place]:
    """Return a function that tells what the folders in a file's name say about it."""

    @functools.lru_cache(maxsize=1024)
    def of_folder(folder: str) -> Place:
        # Innermost first: `archive-train/test/happy/1.jpg` is a happy test image.
        folders = source_name(folder).split("/")[::-1]
        return Place(
            label_name=next((word for word in folders if label_names.knows(word)), None),
            usage=next((usage for word in folders if (usage := parse_usage(word))), None),
            innermost=next((word for word in folders if parse_usage(word) is None), ""),
        )

    return lambda name: of_folder(name.rpartition("/")[0])


def _no_file(source: str) -> Reject:
    if (reason := set_aside(source)) is not None:
        return left_out(source, reason)
    return Reject(source, "neither a file nor a folder (a link or the like)", "put a copy in its place")


def _in_its_place(source: str, path: Path, place: Place) -> RawSample | Reject:
    if place.label_name is not None:
        return RawSample(source, place.label_name, place.usage, path)
    if not begins_as_image(path):
        return left_out(source, "lies outside of the emotion folders and is no image")
    if not place.innermost:
        return Reject(
            source, "lies in no emotion's folder", f"move it into a folder named {', '.join(EMOTIONS)}"
        )
    return Reject(source, f"{shown(place.innermost)} is not an emotion", f"for the folder: {_WAYS_OUT}")


def _require_a_class(raw: Path, listing: Listing, place: Callable[[str], Place]) -> None:
    found: dict[str, None] = {}  # a set that keeps its order
    for name in listing.files:
        if set_aside(name) is not None:
            continue
        label_name, _, innermost = place(name)
        if label_name is not None:
            return
        if innermost:
            found[innermost] = None
    raise FerflowError(
        f"{raw}: no folder is named after an emotion (found: {shown_some(found)}): "
        f"for each of them, {_WAYS_OUT}."
    )
