"""Raw folders for the tests of layouts, and what their readers make of them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ferflow.data.formats import RawSample, Reader, Reject
from ferflow.params import LayoutParams


def picture(level: int = 100) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8), level, dtype=np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


PICTURE = picture()


def raw_folder(raw: Path, *pictures: str) -> Path:
    """Make a folder with small pictures at these paths."""
    return with_files(raw, dict.fromkeys(pictures, PICTURE))


def with_files(raw: Path, files: Mapping[str, bytes | str]) -> Path:
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return raw


def read_all(reader: Reader, raw: Path, **layout: Any) -> tuple[list[RawSample], list[Reject]]:
    """Return the samples and the rejects of a raw folder; every one of them has its own words."""
    items = list(reader.read(raw, LayoutParams(**layout)))
    samples = [item for item in items if isinstance(item, RawSample)]
    rejects = [item for item in items if isinstance(item, Reject)]
    assert len({sample.source for sample in samples}) == len(samples)
    for reject in rejects:
        assert reject.reason
        assert reject.remedy
        assert (reject.source + reject.reason + reject.remedy).encode()
        assert "\n" not in reject.reason + reject.remedy
    return samples, rejects


def reasons(rejects: list[Reject]) -> dict[str, str]:
    return {reject.source: reject.reason for reject in rejects}
