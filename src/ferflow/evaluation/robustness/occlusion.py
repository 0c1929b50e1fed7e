"""What covers a part of a face: a hand over the mouth, a bar over the eyes.

Places are fractions of the image's height and width, for a face that fills an upright crop. They lie between
those of the mean faces of FER-2013 (eyes at 0.37 of the height, mouth at 0.80) and the sample (0.43, 0.82).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MOUTH: Final = (0.80, 0.50)  # middle of the hand: fraction of the height, of the width
EYES: Final = 0.40  # middle of the bar, of the height
_HAND_HEIGHT: Final = 0.6  # of the hand's width
_BAR_WIDTH: Final = 0.76  # of the image: from temple to temple
_SUBPIXELS: Final = 8  # along each side of a pixel: an edge within one covers it in part


def hand_over_mouth(images: Floats, width: float) -> Floats:
    """Return images whose mouths are covered by an ellipse of one gray: the median of the face's middle.

    Args:
        images: Shape (N, H, W, C), 0 to 255.
        width: Of the hand, as a fraction of the image's.
    """
    height, breadth = images.shape[1:3]
    middle = images[:, height // 4 : -(height // 4) or None, breadth // 4 : -(breadth // 4) or None]
    down, right = _places(height, breadth)
    distance = ((down - MOUTH[0]) / _HAND_HEIGHT) ** 2 + (right - MOUTH[1]) ** 2
    return _cover(images, distance <= (width / 2) ** 2, np.median(middle, axis=(1, 2), keepdims=True))


def bar_over_eyes(images: Floats, height: float) -> Floats:
    """Return images whose eyes are covered by a black bar.

    Args:
        images: Shape (N, H, W, C), 0 to 255.
        height: Of the bar, as a fraction of the image's.
    """
    down, right = _places(*images.shape[1:3])
    inside = (np.abs(down - EYES) <= height / 2) & (np.abs(right - 0.5) <= _BAR_WIDTH / 2)
    return _cover(images, inside, np.zeros((1, 1, 1, 1), dtype=np.float32))


def _places(height: int, width: int) -> tuple[Floats, Floats]:
    """Return the middles of all subpixels as fractions: a column of heights and a row of widths."""
    down, right = (
        (np.arange(side * _SUBPIXELS, dtype=np.float32) + np.float32(0.5)) / np.float32(side * _SUBPIXELS)
        for side in (height, width)
    )
    return down[:, None], right[None, :]


def _cover(images: Floats, inside: npt.NDArray[np.bool_], gray: npt.NDArray[np.floating]) -> Floats:
    height, width = (side // _SUBPIXELS for side in inside.shape)
    shares = inside.reshape(height, _SUBPIXELS, width, _SUBPIXELS).mean(axis=(1, 3), dtype=np.float32)
    covered: Floats = images + shares[None, :, :, None] * (gray.astype(np.float32) - images)
    return covered
