"""Every file decoded once: raw samples in, one array and two tables out."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ferflow.data.arrays import Images, ImageWriter
from ferflow.data.decode import RejectedImageError, decode
from ferflow.data.formats import RawSample
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS, parse_label
from ferflow.progress import progress

SAMPLE_COLUMNS: Final = (
    "sample_id",
    "label",
    "source",
    "usage",
    "sha256",
    "width",
    "height",
    "mean",
    "std",
)
REJECT_COLUMNS: Final = ("source", "reason", "remedy")

#: What pandas would not choose by itself: a usage that no sample declares is still a string.
_COLUMN_TYPES: Final = {
    "usage": "str",
    "width": "int32",
    "height": "int32",
    "mean": "float32",
    "std": "float32",
}

#: Images in flight at a time: enough to keep the threads busy, few enough to keep memory flat.
_BATCH = 512


@dataclass(frozen=True, slots=True)
class _Decoded:
    sample: RawSample
    label: str
    pixels: Images
    size: tuple[int, int]


def ingest(samples: Iterable[RawSample], image_size: int, images: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decode raw samples into the array file `images`; return the samples table and the rejects table.

    Row *i* of the samples table describes row *i* of the array. Memory does not grow with the
    number of images.

    Args:
        samples: Raw samples in a fixed order: the same order gives the same files.
        image_size: Height and width of the stored images in pixels.
        images: The .npy file to write, uint8 of shape (N, image_size, image_size, 1).

    Returns:
        Samples (`SAMPLE_COLUMNS`; `mean` and `std` in gray levels) and rejects (`REJECT_COLUMNS`).

    Raises:
        FerflowError: Not one image could be used.
    """
    rows: list[dict[str, Any]] = []
    rejects: list[tuple[str, str, str]] = []
    with (
        warnings.catch_warnings(),
        ImageWriter(images, (image_size, image_size, 1)) as writer,
        ThreadPoolExecutor(os.cpu_count()) as threads,
        progress(description="ingest", unit="image") as bar,
    ):
        # Pillow's remarks on images that it reads all the same. Set here: filters are global to all threads.
        warnings.filterwarnings("ignore", module="PIL")
        for batch in _batches(samples):
            results = threads.map(lambda sample: _decode(sample, image_size), batch)
            accepted: list[_Decoded] = []
            for sample, result in zip(batch, results, strict=True):
                if isinstance(result, RejectedImageError):
                    rejects.append((sample.source, result.reason, result.remedy))
                else:
                    accepted.append(result)
            if accepted:
                pixels = np.stack([item.pixels for item in accepted])
                writer.append(pixels)
                rows.extend(_describe(accepted, pixels))
            bar.update(len(batch))
    if not rows:
        first = f"; the first: {rejects[0][0]}: {rejects[0][1]}" if rejects else ""
        raise FerflowError(f"none of {len(rejects)} files could be used as a labelled image{first}.")
    table = pd.DataFrame(rows, columns=list(SAMPLE_COLUMNS))
    return (
        table.astype(_COLUMN_TYPES),
        pd.DataFrame(rejects, columns=list(REJECT_COLUMNS)),
    )


def _batches(samples: Iterable[RawSample]) -> Iterator[list[RawSample]]:
    iterator = iter(samples)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _decode(sample: RawSample, image_size: int) -> _Decoded | RejectedImageError:
    label = parse_label(sample.label_name)
    if label is None:
        return RejectedImageError(
            f"'{sample.label_name}' is not an emotion", f"put it in a folder named {', '.join(EMOTIONS)}"
        )
    try:
        pixels, size = decode(sample.file, image_size)
    except RejectedImageError as rejection:
        return rejection
    return _Decoded(sample, label, pixels, size)


def _describe(accepted: list[_Decoded], pixels: Images) -> Iterator[dict[str, Any]]:
    flat = pixels.reshape(len(pixels), -1)
    means = flat.mean(axis=1, dtype=np.float64)
    deviations = flat.std(axis=1, dtype=np.float64)
    for item, mean, std in zip(accepted, means, deviations, strict=True):
        yield {
            # From the path alone, so that it survives a new order and other files coming or going.
            "sample_id": hashlib.sha256(item.sample.source.encode()).hexdigest()[:16],
            "label": item.label,
            "source": item.sample.source,
            "usage": item.sample.usage,
            "sha256": hashlib.sha256(item.pixels.tobytes()).hexdigest(),
            "width": item.size[0],
            "height": item.size[1],
            "mean": mean,
            "std": std,
        }
