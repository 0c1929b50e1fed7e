"""Models and detectors whose answers are known, and pictures of every kind that people upload."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ferflow.demo.samples import samples
from ferflow.labels import EMOTIONS
from ferflow.serving.answers import Box
from ferflow.serving.classifiers import OpenedModel
from ferflow.serving.faces import DetectedFace

SIDE = 48


def opened(emotion: str = "happy", number: str | None = None, name: str = "invented") -> OpenedModel:
    """A model that says one emotion of every face: to 70 %."""
    row = [0.7 if label == emotion else 0.05 for label in EMOTIONS]

    def classify(faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        assert faces.shape[1:] == (SIDE, SIDE, 1) and faces.dtype == np.uint8
        return np.array([row] * len(faces), dtype=np.float32)

    details = {"dataset": "sample", "val_macro_f1": "0.7435"}
    if number is not None:
        details |= {"version": number, "registered_model": "ferflow", "aliases": "champion"}
    return OpenedModel(name, EMOTIONS, (SIDE, SIDE, 1), classify, None, details)


class Detector:
    """Finds what it was told to find."""

    def __init__(self, *boxes: tuple[int, int, int, int]) -> None:
        self.boxes = boxes
        self.asked = 0

    def detect(self, picture: Image.Image) -> list[DetectedFace]:
        assert picture.mode == "RGB"
        self.asked += 1
        return [DetectedFace(Box(*box), 0.99) for box in self.boxes]


def portrait() -> Image.Image:
    """The public-domain photograph, in colour."""
    return Image.open(io.BytesIO(samples()["astronaut"].content)).convert("RGB")


def encoded(picture: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format_, **options)
    return stream.getvalue()


def three_faces() -> Image.Image:
    """A wide picture with three faces: a large one in the middle, a small one on the left."""
    wide = Image.new("RGB", (1000, 420), (120, 125, 130))
    for left, side in ((20, 240), (290, 400), (690, 300)):
        wide.paste(portrait().resize((side, side)), (left, 10))
    return wide


def sixteen_bits() -> bytes:
    """The face in gray, with 16 bits per pixel."""
    levels = np.asarray(portrait().convert("L"), dtype=np.uint16) * 257
    return encoded(Image.fromarray(levels))


def animation() -> bytes:
    frames = [Image.new("L", (64, 64), level) for level in (0, 80, 160)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def coloured_noise(side: int = 300) -> Image.Image:
    """A picture with no face in it."""
    levels = np.random.default_rng(0).integers(0, 256, (side // 10, side // 10, 3), dtype=np.uint8)
    return Image.fromarray(levels).resize((side, side), Image.Resampling.BICUBIC)


def huge_png(side: int = 30_000) -> bytes:
    """A black PNG of side × side pixels, which is a small file and 900 megapixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    packer = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join([*(packer.compress(row * 1000) for _ in range(side // 1000)), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
