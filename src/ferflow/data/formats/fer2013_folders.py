"""FER-2013 as Kaggle serves it: class folders, and the official usage in the names of the files.

    train/<emotion>/Training_<id>.jpg
    test/<emotion>/{PublicTest,PrivateTest}_<id>.jpg

The names are finer than the folders, and win.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ferflow.data.formats import RawSample, Reject, class_folders
from ferflow.data.formats.usages import OFFICIAL_USAGES
from ferflow.errors import FerflowError
from ferflow.params import LayoutParams


def recognises(raw: Path, layout: LayoutParams) -> bool:
    """Return whether most files in the folders of classes carry an official usage in their names."""
    with contextlib.suppress(FerflowError):
        official = [
            _official_usage(name.rpartition("/")[2]) is not None
            for name in class_folders.members(raw, layout)
        ]
        return 2 * sum(official) > len(official)
    return False


def read(raw: Path, layout: LayoutParams) -> Iterator[RawSample | Reject]:
    """Yield every file below `raw` as `class_folders.read` does, with the usage that its name declares.

    Raises:
        FerflowError: There is no such folder, no file in it, or no folder that is named after a class.
    """
    for item in class_folders.read(raw, layout):
        yield _with_official_usage(item) if isinstance(item, RawSample) else item


def _with_official_usage(sample: RawSample) -> RawSample | Reject:
    usage = _official_usage(sample.source.rpartition("/")[2])
    if usage is None:
        return Reject(
            sample.source,
            "no official usage in its name",
            f"begin its name with {', '.join(f'{word}_' for word in OFFICIAL_USAGES)}, or set layout.format: "
            "class_folders in params.yaml to go by the folders alone",
        )
    return replace(sample, usage=usage)


def _official_usage(file_name: str) -> str | None:
    word, separator, _ = file_name.partition("_")
    return OFFICIAL_USAGES.get(word) if separator else None
