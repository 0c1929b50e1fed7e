"""Pictures and a model that tells them by their brightness."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ferflow.data.arrays import Images
from ferflow.serving.answers import Box
from ferflow.serving.classifiers import OpenedModel, Probabilities
from ferflow.serving.faces import DetectedFace

LABELS = ("dark", "medium", "bright")
SIDE = 12


def by_brightness(faces: Images) -> Probabilities:
    """Probabilities that are a function of the mean level, and of it alone."""
    mean = faces.mean(axis=(1, 2, 3)) / 255
    scores = np.stack([1 - mean, 1 - abs(2 * mean - 1), mean], axis=1)
    return np.asarray(scores / scores.sum(axis=1, keepdims=True), dtype=np.float32)


class Recorder:
    """A classifier that keeps the sizes of the batches that it got."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.faces: list[Images] = []

    def __call__(self, faces: Images) -> Probabilities:
        self.batches.append(len(faces))
        self.faces.append(faces)
        return by_brightness(faces)


def model(classify: Any = by_brightness, channels: int = 1) -> OpenedModel:
    return OpenedModel("test model", LABELS, (SIDE, SIDE, channels), classify)


def flat(level: int, side: int = SIDE) -> Images:
    return np.full((side, side, 1), level, dtype=np.uint8)


def noise(height: int = 20, width: int = 30) -> Images:
    """A colour picture, uint8 of shape (height, width, 3)."""
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(picture: Images | Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.squeeze(picture))
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    return stream.getvalue()


class BrightHalves:
    """A detector whose faces are the halves of a picture that are not black, the larger first."""

    def detect(self, picture: Image.Image) -> list[DetectedFace]:
        third = picture.width // 3
        boxes = [Box(third, 0, picture.width, picture.height), Box(0, 0, third, picture.height)]
        levels = np.asarray(picture.convert("L"))
        return [DetectedFace(box, 0.99) for box in boxes if levels[:, box.left : box.right].mean() > 8]


def written(folder: Path, levels: dict[str, int]) -> Iterator[str]:
    """Write flat pictures of these levels; yield their paths."""
    for name, level in levels.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(flat(level)))
        yield str(path)
