"""What the gate judges in the array of images: its shape, some of its pixels, their fit to the labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.data.arrays import Images
from ferflow.data.gate.label_signal import Features, edge_features, label_signal
from ferflow.data.gate.tables import name_rows
from ferflow.data.labelled import SPLITS
from ferflow.labels import EMOTIONS

#: Images of each split that are looked at: enough for any verdict, and as quick for a hundred times as many.
_LOOKED_AT: Final = 1000
_CHUNK_BYTES: Final = 1 << 20


def judged_pixels(samples: pd.DataFrame, images: Images) -> dict[str, pd.DataFrame]:
    """Return tables about the array: `array`, one row about the whole, and `stored`, of images looked at.

    Memory does not grow with the number of images.

    Args:
        samples: The judged table of samples (see `ferflow.data.gate.tables`); where a column is missing, what
            would be told from it is missing too.
        images: uint8 of shape (N, H, W, 1), row i meant to be that of `samples`; memory-mapped.

    Returns:
        * `array`: one row with the number of `images`, their `size` (`48×48×1`), and for each split that is
          large enough by how many standard errors its labels fit its images better than labels from a hat
          (`signal_train`, `signal_val`, `signal_test`).
        * `stored`: the `source` of each image looked at, and its checksum if the table has another
          (`differs`).
    """
    array: dict[str, int | float | str] = {
        "source": "images.npy",
        "images": len(images),
        "size": "×".join(map(str, images.shape[1:])),
    }
    tables = {}
    if len(images) == len(samples) and "split" in samples:
        rows = {name: _choose((samples["split"] == name).to_numpy(dtype=bool)) for name in SPLITS}
        looked = {name: _look(images, rows[name]) for name in SPLITS}
        if "sha256" in samples:
            tables["stored"] = _differences(samples, rows, looked)
        if "label" in samples:
            for name in SPLITS:
                signal = _signal(samples["label"].iloc[rows[name]], looked[name][0])
                array |= {} if signal is None else {f"signal_{name}": signal}
    return {"array": pd.DataFrame({name: [value] for name, value in array.items()}), **tables}


def _choose(members: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the rows that are looked at: the same ones whenever the same samples are in the split."""
    rows = np.flatnonzero(members)
    if len(rows) > _LOOKED_AT:
        rows = np.sort(np.random.default_rng(0).choice(rows, _LOOKED_AT, replace=False))
    return rows


def _look(images: Images, rows: npt.NDArray[np.int64]) -> tuple[Features, list[str]]:
    """Return the features and the checksums of some images."""
    features: list[Features] = [np.empty((0, 0), np.float32)] if len(rows) == 0 else []
    checksums: list[str] = []
    for chunk in _chunks(images, rows):
        features.append(edge_features(chunk))
        checksums.extend(hashlib.sha256(image.tobytes()).hexdigest() for image in chunk)
    return np.concatenate(features), checksums


def _chunks(images: Images, rows: npt.NDArray[np.int64]) -> Iterator[Images]:
    length = max(1, _CHUNK_BYTES // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, len(rows), length):
        yield images[rows[start : start + length]]


def _differences(
    samples: pd.DataFrame,
    rows: dict[str, npt.NDArray[np.int64]],
    looked: dict[str, tuple[Features, list[str]]],
) -> pd.DataFrame:
    every = np.concatenate(list(rows.values()))
    order = np.argsort(every)
    found = np.array([checksum for _, checksums in looked.values() for checksum in checksums], dtype=object)
    expected = samples["sha256"].to_numpy(dtype=object)[every[order]]
    differs = pd.Series(found[order], dtype=object).where(found[order] != expected, None)
    return pd.DataFrame({"source": name_rows(samples).to_numpy()[every[order]], "differs": differs})


def _signal(labels: pd.Series, features: Features) -> float | None:
    known = labels.isin(EMOTIONS).to_numpy(dtype=bool)
    return label_signal(features[known], pd.factorize(labels[known], sort=True)[0].astype(np.int64))
