"""The pictures that the page offers to try it: drawn faces, and one photograph."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from PIL import Image

from ferflow.data.synthetic.archive import draw


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to try.

    Attributes:
        title: What it is, in a few words.
        content: The file.
        is_face: It is a face already, cut out as models are trained on them.
    """

    title: str
    content: bytes
    is_face: bool


def samples() -> Mapping[str, Sample]:
    """Return the samples by name, the photograph first."""
    photograph = files("ferflow.demo").joinpath("examples", "astronaut.jpg").read_bytes()
    drawn = {
        emotion: Sample(f"Drawn: {emotion}", _png(emotion), is_face=True)
        for emotion in ("happy", "surprise", "angry", "sad")
    }
    return {"astronaut": Sample("Photograph", photograph, is_face=False), **drawn}


def _png(emotion: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(draw(emotion, 0)).save(stream, "PNG")
    return stream.getvalue()
