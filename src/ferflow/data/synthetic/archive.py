"""The sample as files: FER-2013's folder layout, in a zip or in a folder, the same bytes every time."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from ferflow.data.synthetic.portrait import render
from ferflow.files import atomic_file, atomic_folder
from ferflow.labels import EMOTIONS

#: How many pictures: by FER-2013's name of a split, then by emotion.
Counts = Mapping[str, Mapping[str, int]]

#: The folder that holds a split in Kaggle's layout of FER-2013, whose test folder holds two.
FOLDERS: Final[Mapping[str, str]] = MappingProxyType(
    {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}
)

SEED: Final = 2013
_JPEG_QUALITY: Final = 85
_FIRST_IDENTIFIER: Final = 10001
_ZIP_TIME: Final = (2013, 1, 1, 0, 0, 0)
_READABLE: Final = 0o100644 << 16  # a plain file that its owner can write


@dataclasses.dataclass(frozen=True)
class Sample:
    """One labelled picture of the set.

    Attributes:
        emotion: Its label, one of `ferflow.labels.EMOTIONS`.
        usage: Its split: "Training", "PublicTest" or "PrivateTest".
        identifier: A number that no other picture of the set has.
        pixels: The picture, uint8 (48, 48).
    """

    emotion: str
    usage: str
    identifier: int
    pixels: npt.NDArray[np.uint8]

    @property
    def path(self) -> str:
        """Where FER-2013's folder layout keeps it."""
        return f"{FOLDERS[self.usage]}/{self.emotion}/{self.usage}_{self.identifier}.jpg"


def sample_counts(scale: float = 1.0) -> Counts:
    """Return the counts of the committed sample: 1,118 to train, 280 and 280 to test, disgust rare.

    Args:
        scale: Multiplies every count; at least one picture stays of each kind.
    """
    usual = {"Training": 172, "PublicTest": 43, "PrivateTest": 43}
    return {
        usage: {
            emotion: max(1, round(scale * number * (0.5 if emotion == "disgust" else 1)))
            for emotion in EMOTIONS
        }
        for usage, number in usual.items()
    }


def even_counts(per_emotion: int) -> Counts:
    """Return counts for a tiny set: `per_emotion` pictures of each emotion in each split."""
    return {usage: dict.fromkeys(EMOTIONS, per_emotion) for usage in FOLDERS}


def generate(counts: Counts, seed: int = SEED) -> Iterator[Sample]:
    """Yield the pictures of a set, split by split and emotion by emotion.

    Each picture has its own random stream, of the seed and its identifier: any of them can be drawn
    again alone, with `draw`.

    Args:
        counts: How many of each.
        seed: Another seed gives other people.
    """
    identifier = _FIRST_IDENTIFIER
    for usage, by_emotion in counts.items():
        for emotion, number in by_emotion.items():
            for _ in range(number):
                yield Sample(emotion, usage, identifier, draw(emotion, identifier, seed))
                identifier += 1


def draw(emotion: str, identifier: int, seed: int = SEED) -> npt.NDArray[np.uint8]:
    """Return the pixels, uint8 (48, 48), of the picture with this identifier in the set of a seed."""
    return render(emotion, np.random.default_rng([seed, identifier]))


def write_archive(path: Path, counts: Counts, seed: int = SEED) -> int:
    """Write a set as one zip, whole or not at all; equal arguments give equal bytes.

    Args:
        path: The zip to write.
        counts: How many of each, e.g. `sample_counts()`.
        seed: Another seed gives other people.

    Returns:
        The number of pictures written.
    """
    encoded = {sample.path: encode(sample.pixels) for sample in generate(counts, seed)}
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(encoded):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.external_attr = _READABLE
            entry.create_system = 3  # the same on every system that writes it
            archive.writestr(entry, encoded[name])
    return len(encoded)


def write_folder(path: Path, counts: Counts, seed: int = SEED) -> int:
    """Write a set as a folder, as an unpacked archive would be; what was there is replaced.

    Args:
        path: The folder that will hold `train` and `test`.
        counts: How many of each, e.g. `even_counts(6)`.
        seed: Another seed gives other people.

    Returns:
        The number of pictures written.
    """
    written = 0
    with atomic_folder(path) as temporary:
        for sample in generate(counts, seed):
            file = temporary / sample.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(sample.pixels))
            written += 1
    return written


def encode(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a gray picture, uint8 (H, W), as the JPEG file of which a set is made."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return stream.getvalue()
