"""A data set of eleven images in which every number is known, and its tables.

pixels  samples of it (label, declared split, used split)
a       happy train –, happy train –, happy val val        a copy within train, and one in val
b       sad test test, sad train –                         a copy of a test image
c       fear train –, angry train –                        a contradiction
d       neutral train train                                blank
e       neutral val –, neutral test test                   a copy between val and test
f       surprise train train                               nothing wrong
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.data.explanation.facts import Facts, gather
from ferflow.data.explanation.origin import Origin

SIZE = 8
MIN_PIXEL_STD = 2.0
ORIGIN = Origin("tiny", "faces.zip", "ab" * 32, "MIT")

_LEAKS_VAL, _LEAKS_TEST, _CONTRADICTS = "copy of a val image", "copy of a test image", "under two labels"
_ROWS = [
    ("a", "happy", "train", None, _LEAKS_VAL),
    ("a", "happy", "train", None, _LEAKS_VAL),
    ("a", "happy", "val", "val", None),
    ("b", "sad", "test", "test", None),
    ("b", "sad", "train", None, _LEAKS_TEST),
    ("c", "fear", "train", None, _CONTRADICTS),
    ("c", "angry", "train", None, _CONTRADICTS),
    ("d", "neutral", "train", "train", None),
    ("e", "neutral", "val", None, _LEAKS_TEST),
    ("e", "neutral", "test", "test", None),
    ("f", "surprise", "train", "train", None),
]


def images() -> npt.NDArray[np.uint8]:
    """The images of the samples, uint8 of shape (11, 8, 8, 1); d is all 100."""
    generator = np.random.default_rng(0)
    kinds = {name: generator.integers(0, 256, (SIZE, SIZE, 1), dtype=np.uint8) for name in "abcef"}
    kinds["d"] = np.full((SIZE, SIZE, 1), 100, dtype=np.uint8)
    return np.stack([kinds[pixels] for pixels, *_ in _ROWS])


def samples() -> pd.DataFrame:
    pixels = images().reshape(len(_ROWS), -1)
    return pd.DataFrame(
        {
            "sample_id": [f"{row:016x}" for row in range(len(_ROWS))],
            "label": pd.Series([label for _, label, *_ in _ROWS], dtype="str"),
            "source": [f"{usage}/{label}/{row}.png" for row, (_, label, usage, *_) in enumerate(_ROWS)],
            "usage": pd.Series([usage for _, _, usage, *_ in _ROWS], dtype="str"),
            "sha256": [name * 64 for name, *_ in _ROWS],
            "width": np.array([48] * 10 + [96], dtype=np.int32),
            "height": np.array([48] * 10 + [64], dtype=np.int32),
            "mean": pixels.mean(axis=1).astype(np.float32),
            "std": pixels.std(axis=1).astype(np.float32),
        }
    )


def splits() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": [f"{row:016x}" for row in range(len(_ROWS))],
            "split": pd.Series([split for *_, split, _ in _ROWS], dtype="str"),
            "reason": pd.Series([reason for *_, reason in _ROWS], dtype="str"),
        }
    )


def rejects(*rows: tuple[str, str, str, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["source", "reason", "remedy", "defect"])


def without_declared_splits(table: pd.DataFrame) -> pd.DataFrame:
    """The samples of a source that declares no split."""
    return table.assign(usage=pd.Series([None] * len(table), dtype="str"))


def without_defects() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples and splits of eleven different images that are all used and not blank."""
    table = samples()
    table["sha256"] = [f"{row:064x}" for row in range(len(table))]
    table["std"] = np.float32(50)
    used = splits()
    used["split"], used["reason"] = table["usage"], pd.Series([None] * len(table), dtype="str")
    return table, used


def facts(
    samples_table: pd.DataFrame | None = None,
    splits_table: pd.DataFrame | None = None,
    rejects_table: pd.DataFrame | None = None,
    origin: Origin = ORIGIN,
) -> Facts:
    """The numbers of the data set, or of one with other tables."""
    return gather(
        samples() if samples_table is None else samples_table,
        splits() if splits_table is None else splits_table,
        rejects() if rejects_table is None else rejects_table,
        origin=origin,
        images=images(),
        min_pixel_std=MIN_PIXEL_STD,
    )
