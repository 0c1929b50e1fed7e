"""A picture looked at: the faces in it, and what each model says of each of them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from ferflow.data.decode import face
from ferflow.errors import without_credentials
from ferflow.serving.answers import Box, Face
from ferflow.serving.faces import DetectedFace
from ferflow.serving.photographs import Photograph
from ferflow.serving.predictor import Predictor

Heat = npt.NDArray[np.float32]


class Detector(Protocol):
    """What finds faces."""

    def detect(self, picture: Image.Image) -> list[DetectedFace]:
        """Return the faces in a picture in colour, the largest first."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A face in a picture.

    Attributes:
        crop: What of the picture is classified, in gray.
        box: Where it is; None if the whole picture was taken for a face.
        detection: How sure the detector is of it, in [0, 1].
    """

    crop: Image.Image
    box: Box | None = None
    detection: float | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a model says of a face.

    Attributes:
        face: Its emotion and probabilities.
        heat: What spoke for the emotion, in [0, 1], of shape (H, W); None if the model has no such map.
    """

    face: Face
    heat: Heat | None


def faces_in(photograph: Photograph, detector: Detector | None) -> list[Seen]:
    """Return the faces in a photograph, the largest first; without a detector, all of it is one.

    Args:
        photograph: In colour too, if there is a detector.
        detector: What finds faces.
    """
    if detector is None or photograph.colour is None:
        return [Seen(photograph.gray)]
    size = photograph.gray.size
    return [
        Seen(photograph.gray.crop(inside.edges()), inside, found.confidence)
        for found in detector.detect(photograph.colour)
        if (inside := _inside(found.box, size))
    ]


def opinions(predictor: Predictor, faces: Sequence[Seen]) -> list[Opinion]:
    """Return what a model says of each face, and why."""
    if not faces:
        return []
    answers = predictor.predict([seen.crop for seen in faces])
    said = [
        dataclasses.replace(answer.faces[0], box=seen.box, detection=seen.detection)
        for seen, answer in zip(faces, answers, strict=True)
    ]
    return [Opinion(*each) for each in zip(said, _heat(predictor, faces, said), strict=True)]


def _heat(predictor: Predictor, faces: Sequence[Seen], said: Sequence[Face]) -> Sequence[Heat | None]:
    model = predictor.model
    if model.keras is None:
        return [None] * len(faces)
    from ferflow.models.inspection.explained import explained

    height, _, channels = model.image_shape
    crops = np.stack([np.asarray(face(seen.crop, height)[0], dtype=np.uint8) for seen in faces])
    images = np.repeat(crops[..., None], channels, axis=3)
    try:
        maps = explained(model.keras, images, [model.labels.index(each.emotion) for each in said])
    except Exception as error:
        # A network of somebody's own may have steps that nobody thought of; it has an answer all the same.
        told = without_credentials(" ".join(str(error).split()))
        print(f"warning: no map of {model.title}: {told[:300]}", file=sys.stderr, flush=True)
        return [None] * len(faces)
    return [None] * len(faces) if maps is None else list(maps)


def _inside(box: Box, size: tuple[int, int]) -> Box | None:
    """Return what of a box lies inside a picture of a (width, height)."""
    left, top = max(box.left, 0), max(box.top, 0)
    right, bottom = min(box.right, size[0]), min(box.bottom, size[1])
    return Box(left, top, right, bottom) if left < right and top < bottom else None
