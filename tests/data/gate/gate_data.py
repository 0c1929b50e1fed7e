"""A small data set that passes the gate, for tests to put defects into."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.data.gate.report import Report
from ferflow.data.gate.run import judge
from ferflow.data.splits import assign_splits
from ferflow.labels import EMOTIONS
from ferflow.params import ValidateParams

SIZE = 24
LIMITS = ValidateParams.model_validate(
    {
        "max_reject_fraction": 0.04,
        "min_samples": 200,
        "min_samples_per_label": 4,
        "min_image_size": 32,
        "max_small_fraction": 0.01,
        "min_pixel_std": 2.0,
        "max_blank_fraction": 0.01,
        "max_duplicate_fraction": {"limit": 0.01, "severity": "warning"},
        "max_contradictory_fraction": 0.25,
        "max_leaked_samples": 0,
        "min_label_signal": 3.0,
        "max_brightness_drift": {"limit": 0.5, "severity": "warning"},
        "max_class_ratio": {"limit": 10, "severity": "warning"},
    }
)


@dataclass
class Data:
    """What earlier stages hand to the gate; the splits are made from the samples if none are given."""

    samples: pd.DataFrame
    images: npt.NDArray[np.uint8]
    rejects: pd.DataFrame
    duplicates: Literal["clean", "keep"] = "clean"
    splits: pd.DataFrame | None = None

    def judge(self, limits: ValidateParams = LIMITS) -> Report:
        splits = self.split() if self.splits is None else self.splits
        return judge(self.samples, splits, self.rejects, self.images, image_size=SIZE, limits=limits)

    def split(self) -> pd.DataFrame:
        fractions = {"val_fraction": 0.1, "test_fraction": 0.1}
        return assign_splits(self.samples, duplicates=self.duplicates, seed=0, **fractions)

    def row(self, source: str) -> int:
        return int(np.flatnonzero(self.samples["source"] == source)[0])

    def draw(self, row: int, image: npt.NDArray[np.uint8]) -> None:
        """Put `image` in a row, and what ingest would say of it."""
        self.images[row] = image
        for column, value in zip(("sha256", "mean", "std"), describe(image), strict=True):
            self.samples.loc[row, column] = value

    def copy(self, target: str, source: str) -> None:
        """Give one sample the pixels of another one."""
        self.draw(self.row(target), self.images[self.row(source)])

    def keep(self, chosen: npt.NDArray[np.bool_]) -> None:
        """Leave some samples out as if they had never been."""
        self.images = self.images[chosen]
        self.samples = self.samples[chosen].reset_index(drop=True)


def describe(image: npt.NDArray[np.uint8]) -> list[Any]:
    return [hashlib.sha256(image.tobytes()).hexdigest(), np.float32(image.mean()), np.float32(image.std())]


def good_data(per_label: int = 60) -> Data:
    """Every emotion `per_label` times: bars of a direction of its own, 8 of them in val, 8 in test."""
    random = np.random.default_rng(0)
    down, across = np.mgrid[:SIZE, :SIZE]
    names, usages, pixels = [], [], []
    for number, label in enumerate(EMOTIONS):
        angle = np.pi * number / len(EMOTIONS)
        bars = 40 * np.sin(across * np.cos(angle) + down * np.sin(angle))
        for i in range(per_label):
            usage = "test" if i >= per_label - 8 else "val" if i >= per_label - 16 else "train"
            names.append(f"{usage}/{label}/{i:02}.png")
            usages.append(usage)
            level = random.integers(100, 140)
            pixels.append((level + bars + random.normal(0, 20, (SIZE, SIZE))).clip(0, 255))
    images = np.stack(pixels).astype(np.uint8)[..., None]
    sha256, mean, std = zip(*(describe(image) for image in images), strict=True)
    samples = pd.DataFrame(
        {
            "sample_id": [hashlib.sha256(name.encode()).hexdigest()[:16] for name in names],
            "label": [name.split("/")[1] for name in names],
            "source": names,
            "usage": usages,
            "sha256": sha256,
            "width": np.full(len(names), 48, np.int32),
            "height": np.full(len(names), 48, np.int32),
            "mean": np.array(mean, np.float32),
            "std": np.array(std, np.float32),
        }
    )
    return Data(samples, images, rejects())


def rejects(unusable: int = 0, on_purpose: int = 0) -> pd.DataFrame:
    defect = [True] * unusable + [False] * on_purpose
    return pd.DataFrame(
        {
            "source": [f"raw/{row:02}.png" for row in range(len(defect))],
            "reason": ["it is cut short" if bad else "left out by layout.drop" for bad in defect],
            "remedy": ["fetch it again"] * len(defect),
            "defect": defect,
        }
    ).astype({"source": "str", "reason": "str", "remedy": "str", "defect": "bool"})
