"""ExpW (Zhang et al., From Facial Expression Recognition to Interpersonal Relation Prediction, 2018).

    label/label.lst
    image/origin/<image>

A line of `label.lst` is one face: image name, face id in the image, box top, left, right and bottom in
pixels, confidence of the box, and the emotion, 0 to 6 in the order of `EMOTIONS`. No split is declared.
"""

from __future__ import annotations

import contextlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from ferflow.data.formats import Box, RawSample, Reject
from ferflow.data.formats.listed_files import ListedFiles
from ferflow.data.formats.listing import inside, left_out, set_aside, shown, shown_some
from ferflow.data.formats.rows import MalformedRowError, read_lines
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.params import LayoutParams

_TABLE: Final = "label.lst"
_LABELS: Final = {str(index): emotion for index, emotion in enumerate(EMOTIONS)}
_FIELDS: Final = 8
_WHOLE: Final = re.compile("-?[0-9]{1,9}")
#: The image folder is the one that holds most of the images of so many faces.
_FACES_TO_FIND_IMAGES: Final = 200


class _Face(NamedTuple):
    image: str
    number: int
    box: Box
    confidence: float
    label_name: str


def recognises(raw: Path, _layout: LayoutParams) -> bool:
    """Return whether there is a file `label.lst`."""
    with contextlib.suppress(FerflowError):
        return bool(_tables(ListedFiles(raw).sources))
    return False


def read(raw: Path, layout: LayoutParams) -> Iterator[RawSample | Reject]:
    """Yield every line of `label.lst`, in its order, then every other file that no line names.

    A line that repeats an earlier one is left out. A face id that comes again with another box or
    emotion is a sample of its own, whose source ends in its line.

    Args:
        raw: The unpacked data set, with its images unpacked anywhere in it.
        layout: Faces below its `min_box_confidence` are left out.

    Raises:
        FerflowError: There is no `label.lst` or more than one, or none of its images is there.
    """
    files = ListedFiles(raw)
    table = _only_table(raw, files.sources)
    folder = _image_folder(raw, files, table)
    listed: dict[str, int] = {}
    named: set[str] = set()
    for number, face in _faces(files.path(table)):
        row = f"{table}:{number}"
        if isinstance(face, MalformedRowError):
            yield Reject(row, face.reason, face.remedy)
            continue
        source, content = f"{face.image}#{face.number}", hash(face)
        if source not in listed:
            listed[source] = content
        elif listed[source] == content:
            yield left_out(row, "repeats an earlier line")
            continue
        else:
            source = f"{source}:{number}"
        if (image := files.find(folder + face.image)) is not None:
            named.add(image)
        yield _sample(source, face, None if image is None else files.path(image), layout)
    yield from files.not_named(table, named)


def _sample(source: str, face: _Face, path: Path | None, layout: LayoutParams) -> RawSample | Reject:
    least = layout.min_box_confidence
    if least is not None and face.confidence < least:
        return left_out(source, f"box confidence below {least:g} (layout.min_box_confidence)")
    if path is None:
        return Reject(
            source,
            "its image is missing",
            f"put {shown(face.image)} beside the other images, or remove its lines",
        )
    return RawSample(source, face.label_name, None, path, face.box)


def _tables(sources: Iterable[str]) -> list[str]:
    return [
        source
        for source in sources
        if source.rpartition("/")[2].lower() == _TABLE and set_aside(source) is None
    ]


def _only_table(raw: Path, sources: Iterable[str]) -> str:
    tables = _tables(sources)
    if not tables:
        raise FerflowError(f"{raw} has no file {_TABLE}: it lists the faces of ExpW; fetch it.")
    if len(tables) > 1:
        raise FerflowError(
            f"{raw} has {len(tables)} files {_TABLE} ({shown_some(tables)}): leave one of them."
        )
    return tables[0]


def _image_folder(raw: Path, files: ListedFiles, table: str) -> str:
    """Return the folder below `raw`, with its slash, that holds the images of the table's first faces."""
    faces = (face for _, face in _faces(files.path(table)) if isinstance(face, _Face))
    wanted: dict[str, set[str]] = {}
    for face in islice(faces, _FACES_TO_FIND_IMAGES):
        wanted.setdefault(face.image.rpartition("/")[2], set()).add(face.image)
    if not wanted:
        if next(_faces(files.path(table)), None) is None:
            raise FerflowError(f"{raw / table} has no lines: fetch it again.")
        return ""
    found: Counter[str] = Counter()
    for source in files.sources:
        place = f"/{source}"
        for image in wanted.get(place.rpartition("/")[2], ()):
            if place.endswith(f"/{image}") and set_aside(source) is None:
                found[source.removesuffix(image)] += 1
    if not found:
        raise FerflowError(
            f"{raw} has none of the images that {table} lists first (e.g. {shown(min(wanted))}): unpack "
            "ExpW's images (origin.7z.001 and its other parts) into it."
        )
    return min(found, key=lambda folder: (-found[folder], folder))


def _faces(path: Path) -> Iterator[tuple[int, _Face | MalformedRowError]]:
    """Yield the line (the first is 1) of every face and what it says, empty lines left out."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.isspace():
            try:
                yield number, _parse(line)
            except MalformedRowError as malformed:
                yield number, malformed


def _parse(line: str) -> _Face:
    # From the right: a name may have blanks in it.
    fields = line.strip().rsplit(None, _FIELDS - 1)
    if len(fields) != _FIELDS:
        raise MalformedRowError(
            f"{len(fields)} fields instead of {_FIELDS}",
            "correct the line: image, face id, top, left, right, bottom, confidence, emotion",
        )
    name, number, *sides, confidence, emotion = fields
    image = inside("", name)
    if image is None:
        raise MalformedRowError(
            f"image {shown(name)} lies outside of the image folder", "correct the line, or remove it"
        )
    top, left, right, bottom = (_whole_number(side) for side in sides)
    if right <= left or bottom <= top:
        raise MalformedRowError(
            "its box is empty or reversed", "correct the line: top before bottom, left before right"
        )
    if emotion not in _LABELS:
        raise MalformedRowError(f"emotion {shown(emotion)} is none of 0 to 6", "correct the emotion")
    return _Face(
        unicodedata.normalize("NFC", image),
        _whole_number(number),
        Box(left, top, right, bottom),
        _number(confidence),
        _LABELS[emotion],
    )


def _whole_number(word: str) -> int:
    if not _WHOLE.fullmatch(word):
        raise MalformedRowError(f"{shown(word)} is no whole number", "correct the line")
    return int(word)


def _number(word: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(number := float(word)):
            return number
    raise MalformedRowError(f"{shown(word)} is no number", "correct the line")
