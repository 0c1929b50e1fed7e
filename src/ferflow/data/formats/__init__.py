"""Readers of data-set layouts: a raw folder in, raw samples out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RawSample:
    """One image as its source has it, not yet decoded.

    Attributes:
        source: Its path inside the raw folder, with forward slashes: the name people know it by.
        label_name: The word by which the source calls its emotion.
        usage: The split that the source declares: "train", "val", "test" or None.
        file: Where its bytes are.
    """

    source: str
    label_name: str
    usage: str | None
    file: Path
