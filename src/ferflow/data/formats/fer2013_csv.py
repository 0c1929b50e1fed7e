"""FER-2013 as one table: `fer2013.csv` and `icml_face_data.csv`, plain or compressed.

    emotion,pixels,Usage
    0,70 80 82 … 106 109 82,Training

`emotion` is 0 to 6 in the order of `EMOTIONS`, `pixels` the gray levels of a square image row by row.
Columns may come in any order, and be called so in any case.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ferflow.data.arrays import Images
from ferflow.data.formats import RawSample, Reject
from ferflow.data.formats.csv_files import (
    CsvFile,
    csv_files,
    named_csv_file,
    only_csv_file,
)
from ferflow.data.formats.listed_files import ListedFiles
from ferflow.data.formats.listing import shown, shown_some
from ferflow.data.formats.rows import MalformedRowError
from ferflow.data.formats.usages import OFFICIAL_USAGES, parse_usage
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.params import LayoutParams

_NEEDED: Final = ("emotion", "pixels")
_DECLARES: Final = "usage"
_DIGITS_AND_BLANKS: Final = b"0123456789 \t\n"
_LABELS: Final = {str(index): emotion for index, emotion in enumerate(EMOTIONS)}


def recognises(raw: Path, _layout: LayoutParams) -> bool:
    """Return whether any CSV file has columns of emotions and pixels."""
    with contextlib.suppress(FerflowError):
        return any(_has(file, *_NEEDED) for file in csv_files(raw))
    return False


def read(raw: Path, layout: LayoutParams) -> Iterator[RawSample | Reject]:
    """Yield every row of the table, in its order, and then every other file as left out.

    Args:
        raw: The unpacked data set. Of several tables, the one that declares usages is read.
        layout: Its `file` names the table where that does not tell.

    Raises:
        FerflowError: There is no such table, it is not clear which one is meant, or it is damaged.
    """
    file = named_csv_file(raw, layout.file) if layout.file else _find(raw)
    missing = [word for word in _NEEDED if not _has(file, word)]
    if missing:
        raise FerflowError(
            f"{file.path} has no column {' and '.join(missing)} (found: "
            f"{shown_some(file.columns)}): name another file in layout.file, or correct its header."
        )
    columns = [word.lower() for word in file.columns]
    emotion, pixels = (columns.index(word) for word in _NEEDED)
    usage = columns.index(_DECLARES) if _DECLARES in columns else None
    for line, row in file.rows():
        source = f"{file.name}:{line}"
        try:
            fields = file.complete(row)
            yield RawSample(
                source=source,
                label_name=_label(fields[emotion]),
                usage=None if usage is None else _usage(fields[usage]),
                content=_image(fields[pixels]),
            )
        except MalformedRowError as malformed:
            yield Reject(source, malformed.reason, malformed.remedy)
    yield from ListedFiles(raw).not_named(file.name, ())


def _has(file: CsvFile, *words: str) -> bool:
    return set(words) <= {word.lower() for word in file.columns}


def _find(raw: Path) -> CsvFile:
    candidates = [file for file in csv_files(raw) if _has(file, *_NEEDED)]
    # The archive of Kaggle's challenge has the training rows a second time, without their usage.
    declared = [file for file in candidates if _has(file, _DECLARES)]
    return only_csv_file(raw, declared or candidates, " and ".join(_NEEDED))


def _label(field: str) -> str:
    label = _LABELS.get(field.strip())
    if label is None:
        raise MalformedRowError(f"emotion {shown(field)} is none of 0 to 6", "correct the emotion")
    return label


def _usage(field: str) -> str:
    usage = parse_usage(field)
    if usage is None:
        raise MalformedRowError(
            f"usage {shown(field)} is none of {', '.join(OFFICIAL_USAGES)}", "correct the usage"
        )
    return usage


def _image(field: str) -> Images:
    # By far the fastest way to ask whether there is anything but digits and blanks.
    if field.encode().translate(None, _DIGITS_AND_BLANKS):
        raise _no_gray_level(field)
    levels = np.fromstring(field.strip(), dtype=np.int64, sep=" ")
    side = math.isqrt(levels.size)
    if levels.size == 0 or side * side != levels.size:
        raise MalformedRowError(
            f"{levels.size:,} pixels, which make no square image (48 × 48 are 2,304)",
            "copy the table again from its source: the row is incomplete",
        )
    if levels.max() > 255:
        raise _no_gray_level(field)
    return levels.astype(np.uint8).reshape(side, side)


def _no_gray_level(field: str) -> MalformedRowError:
    wrong = next((word for word in field.split() if not _is_gray_level(word)), field)
    return MalformedRowError(f"pixel {shown(wrong)} is no whole number from 0 to 255", "correct the pixels")


def _is_gray_level(word: str) -> bool:
    digits = word.lstrip("0") or "0"
    return digits.isascii() and digits.isdigit() and len(digits) <= 3 and int(digits) <= 255
