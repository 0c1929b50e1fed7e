"""Every image decoded once: raw samples in, one array and two tables out."""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ferflow.data.arrays import Images, ImageWriter
from ferflow.data.decode_batch import DecodedBatch, Job
from ferflow.data.decode_processes import decode_all
from ferflow.data.formats import RawSample, Reject
from ferflow.data.sample_tables import REJECT_COLUMNS as REJECT_COLUMNS
from ferflow.data.sample_tables import SAMPLE_COLUMNS as SAMPLE_COLUMNS
from ferflow.data.sample_tables import RejectWriter, SampleWriter
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS, LabelNames
from ferflow.progress import progress

#: Images decoded and written at a time, fewer if they are large.
_BATCH: Final = 128
_BATCH_BYTES: Final = 1 << 25


@dataclass(frozen=True, slots=True)
class Ingested:
    """How many images were stored, how many could not be used, and how many were left out on purpose."""

    images: int
    unusable: int
    left_out: int


class _Labelled(NamedTuple):
    sample: RawSample
    sample_id: str
    label: str


_Admitted: TypeAlias = list[_Labelled | Reject]


def ingest(
    items: Iterable[RawSample | Reject],
    labels: LabelNames,
    image_size: int,
    *,
    images: Path,
    samples: Path,
    rejects: Path,
) -> Ingested:
    """Decode raw samples into one array, describe them in a table, and list what cannot be used.

    Row *i* of the samples table describes row *i* of the array. What cannot be decoded, has none of the
    labels or repeats a source is listed as unusable; a class that is dropped is listed as left out. Memory
    does not grow with the number of images.

    Args:
        items: What a reader yields, in a fixed order: the same order gives the same files.
        labels: What the data set calls its classes.
        image_size: Height and width of the stored images in pixels.
        images: The .npy file to write, uint8 of shape (N, image_size, image_size, 1).
        samples: The Parquet file to write, of `SAMPLE_COLUMNS`: `width` and `height` are those of the
            image, or of its box, before it was resampled; `mean` and `std` are in gray levels.
        rejects: The CSV file to write, of `REJECT_COLUMNS`.

    Raises:
        FerflowError: Not one image could be used, or memory did not suffice.
    """
    admission = _Admission(labels)
    batches = _batches(items, max(1, min(_BATCH, _BATCH_BYTES // image_size**2)))
    with (
        ImageWriter(images, (image_size, image_size, 1)) as array,
        SampleWriter(samples) as table,
        RejectWriter(rejects) as rejected,
        closing(decode_all(map(admission.judge, batches), image_size)) as results,
        progress(description="ingest", unit="image") as bar,
    ):
        for admitted, decoded in results:
            kept, refused = _settle(admitted, decoded)
            pixels = np.frombuffer(decoded.levels, dtype=np.uint8).reshape(-1, image_size, image_size, 1)
            array.append(pixels)
            table.append(_columns(kept, decoded, pixels))
            rejected.append(refused)
            bar.update(len(admitted))
    if not table.count:
        raise _nothing_usable(rejects)
    return Ingested(table.count, rejected.defects, rejected.count - rejected.defects)


def _batches(items: Iterable[RawSample | Reject], length: int) -> Iterator[list[RawSample | Reject]]:
    """Yield batches of `length`, longer where samples that share a file would be parted."""
    batch: list[RawSample | Reject] = []
    for item in items:
        if len(batch) >= length and not _share_a_file(batch[-1], item):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _share_a_file(first: RawSample | Reject, second: RawSample | Reject) -> bool:
    return (
        isinstance(first, RawSample)
        and isinstance(second, RawSample)
        and isinstance(first.content, Path)
        and first.content == second.content
    )


class _Admission:
    """Tells what is worth decoding: samples with one of the labels, from a source not seen before."""

    def __init__(self, labels: LabelNames) -> None:
        self._parse = lru_cache(maxsize=1024)(labels.parse)
        self._drops = lru_cache(maxsize=1024)(labels.drops)
        self._seen: set[int] = set()

    def judge(self, batch: list[RawSample | Reject]) -> tuple[_Admitted, list[Job]]:
        """Return the batch with labels or reasons, and a job for each sample that has a label."""
        admitted = [item if isinstance(item, Reject) else self._label(item) for item in batch]
        return admitted, [_job(item.sample) for item in admitted if isinstance(item, _Labelled)]

    def _label(self, sample: RawSample) -> _Labelled | Reject:
        source, name = sample.source, sample.label_name
        label = self._parse(name)
        if label is None and self._drops(name):
            return Reject(source, f"class '{name}' is left out (layout.drop)", "none needed", defect=False)
        if label is None:
            return Reject(
                source,
                f"'{name}' is not an emotion",
                f"name it {', '.join(EMOTIONS[:-1])} or {EMOTIONS[-1]}, or say in the data set's "
                "layout.aliases what it means, or leave it out by layout.drop (params.yaml)",
            )
        try:
            # From the source alone, so that it survives a new order and other files coming or going.
            sample_id = hashlib.sha256(source.encode()).hexdigest()[:16]
        except UnicodeEncodeError:
            return Reject(source, "its name is not UTF-8", "rename it")
        number = int(sample_id, 16)
        if number in self._seen:
            return Reject(source, "listed twice", "remove one of the two, or give each its own source")
        self._seen.add(number)
        return _Labelled(sample, sample_id, label)


def _job(sample: RawSample) -> Job:
    content = os.fspath(sample.content) if isinstance(sample.content, Path) else sample.content
    # A plain tuple: the processes that decode do not know `Box`.
    return content, None if sample.box is None else (*sample.box,)


def _settle(admitted: _Admitted, decoded: DecodedBatch) -> tuple[list[_Labelled], list[Reject]]:
    """Return the samples that were decoded, and what was not with its reason, both in their order."""
    kept: list[_Labelled] = []
    refused: list[Reject] = []
    rejections = iter(decoded.rejections)
    for item in admitted:
        if isinstance(item, Reject):
            refused.append(item)
        elif (rejection := next(rejections)) is not None:
            refused.append(Reject(item.sample.source, *rejection))
        else:
            kept.append(item)
    return kept, refused


def _columns(kept: list[_Labelled], decoded: DecodedBatch, pixels: Images) -> list[list[Any]]:
    """Return the columns of the samples table, in the order of `SAMPLE_COLUMNS`."""
    mean, std = _measure(pixels)
    return [
        [item.sample_id for item in kept],
        [item.label for item in kept],
        [item.sample.source for item in kept],
        [item.sample.usage for item in kept],
        decoded.sha256,
        [width for width, _ in decoded.sizes],
        [height for _, height in decoded.sizes],
        mean.tolist(),
        std.tolist(),
    ]


def _measure(pixels: Images) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and standard deviation of each image, from exact sums: the same on every machine."""
    count = pixels.shape[1] * pixels.shape[2]
    flat = pixels.reshape(len(pixels), count)
    total = flat.sum(axis=1, dtype=np.int64)
    squares = np.square(flat, dtype=np.uint16).sum(axis=1, dtype=np.int64)
    return total / count, np.sqrt(count * squares - total * total) / count


def _nothing_usable(rejects: Path) -> FerflowError:
    """Return the error that names the commonest reason in a table of rejects."""
    with rejects.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows:
        return FerflowError("the data set has no images: check its `source` and `layout` in params.yaml.")
    reason, count = Counter(row["reason"] for row in rows).most_common(1)[0]
    first = next(row for row in rows if row["reason"] == reason)
    return FerflowError(
        f"none of {len(rows):,} files or rows could be used as a labelled image. The commonest reason "
        f"({count:,} times, first for {first['source']}): {reason}; {first['remedy']}."
    )
