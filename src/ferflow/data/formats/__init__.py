"""Readers of data-set layouts: a raw folder in, raw samples out.

Each module is one layout, and has the two functions of `Reader`. A new layout is one module, its name
in `ferflow.params.data.Format`, and its place in `ferflow.data.formats.detect`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from ferflow.data.arrays import Images
from ferflow.params import LayoutParams


class Box(NamedTuple):
    """A face's place in its image, in pixels; `right` and `bottom` are just outside of it."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class RawSample:
    """One face as its source has it, not yet decoded.

    Attributes:
        source: The name people know it by, unique in the data set: its path inside the raw folder with
            forward slashes, or its file and row, e.g. `fer2013.csv:2` (as an editor counts lines).
        label_name: The word by which the source calls its emotion.
        usage: The split that the source declares: "train", "val", "test" or None.
        content: The file that holds its image, or its gray levels, uint8 of shape (H, W).
        box: Which part of the image it is; None for all of it. Samples that share an image follow one
            another where the source lists them so, to be decoded once.
    """

    source: str
    label_name: str
    usage: str | None
    content: Path | Images
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """One thing in the source that does not become a sample.

    Attributes:
        source: As in `RawSample`.
        reason: Why not, in a few words.
        remedy: What its owner can do, or for what is left out on purpose, where that is said.
        defect: Whether something is wrong with it. What is left out on purpose, or is a by-product of
            an operating system, is no defect and does not count against the data set.
    """

    source: str
    reason: str
    remedy: str
    defect: bool = True


class Reader(Protocol):
    """What every module of a layout offers."""

    def recognises(self, raw: Path, layout: LayoutParams, /) -> bool:
        """Return whether the folder `raw` is laid out in this way; cheap, and never raises.

        Args:
            raw: The unpacked data set.
            layout: For what the data set calls its classes.
        """

    def read(self, raw: Path, layout: LayoutParams, /) -> Iterator[RawSample | Reject]:
        """Yield everything in `raw`, in an order that depends on the content alone, in flat memory.

        Raises:
            FerflowError: Nothing there can be read in this way at all.
        """
