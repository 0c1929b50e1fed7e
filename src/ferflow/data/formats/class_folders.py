"""Folders of classes, with or without split folders above them, at any depth.

    [<anything>/][<split>/]<emotion>/<image>

Kaggle's FER-2013 folders are of this kind; their file names carry the official usage
(`Training_…`, `PublicTest_…`, `PrivateTest_…`), which is finer than their folders `train` and `test`
and therefore wins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ferflow.data.formats import RawSample
from ferflow.errors import FerflowError

#: What split folders are called, in lower case.
SPLIT_FOLDERS: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}

#: FER-2013's usages and what they mean: chosen on PublicTest, reported on PrivateTest.
OFFICIAL_USAGES: Final = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}


def read(raw: Path) -> Iterator[RawSample]:
    """Yield every file below `raw` as a sample, in the order of their names, whatever the file system.

    Args:
        raw: The unpacked data set.

    Raises:
        FerflowError: There is no such folder, or no file in it.
    """
    if not raw.is_dir():
        raise FerflowError(f"{raw} is missing: run `dvc repro` to make it.")
    names = sorted(_files_below(raw))
    if not names:
        raise FerflowError(f"{raw} has no files: the archive must hold one folder for each emotion.")
    for name in names:
        *folders, file_name = name.split("/")
        yield RawSample(
            source=name,
            label_name=folders[-1] if folders else "",
            usage=_usage(folders, file_name),
            file=raw / name,
        )


def _files_below(folder: Path, prefix: str = "") -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name


def _usage(folders: list[str], file_name: str) -> str | None:
    official = OFFICIAL_USAGES.get(file_name.split("_", 1)[0])
    if official is not None:
        return official
    # The innermost split folder counts: `archive-train/test/happy/1.jpg` is a test image.
    for folder in reversed(folders[:-1]):
        if (usage := SPLIT_FOLDERS.get(folder.lower())) is not None:
            return usage
    return None
