"""The relief of a face: the height that gives it light and shade, and parallax when it turns."""

from __future__ import annotations

from typing import Final

import numpy as np

from ferflow.data.synthetic.canvas import SIDE, UNIT, Plane
from ferflow.data.synthetic.face import Face

#: Pixels of the drawing surface per sample of the relief, which is smooth: coarse is enough.
_STEP: Final = 2
_DOME: Final = 0.62  # height of the head's dome over its rim, in face units


def grid(head_height: float) -> tuple[Plane, Plane]:
    """Return the face coordinates x and y of a relief's samples, each (SIDE / 2, SIDE / 2)."""
    axis = (np.arange(0, SIDE, _STEP, dtype=np.float32) + 0.5 * _STEP - SIDE / 2) / UNIT
    x, y = np.meshgrid(axis, axis / head_height)
    return x.astype(np.float32), y.astype(np.float32)


def dome(x: Plane, y: Plane) -> Plane:
    """Return the height of the head without features: what turns rigidly with the head's pose."""
    radius = (x / 1.12) ** 2 + ((y - 0.02) / 1.5) ** 2
    height: Plane = _DOME * np.maximum(1 - radius, 0) + _bump(x, y, 0.0, 0.33, 0.2, 0.3, 0.18)
    return height


def relief(face: Face) -> Plane:
    """Return the height of the face in face units, float32 (SIDE / 2, SIDE / 2)."""
    x, y = grid(face.who.head_height)
    height = dome(x, y)
    height += _bump(x, y, 0.0, 0.15, 0.09, 0.28, 0.10)
    height += _bump(x, y, 0.0, face.middle.nose_wing_y - 0.06, 0.13, 0.10, 0.13)
    for side, shape in face.halves:
        height += _bump(x, y, side * 0.42, 0.02, 0.21, 0.15, -0.07)
        height += _bump(x, y, side * 0.42, shape.brow_peak_y + 0.03, 0.3, 0.08, 0.035)
        lift = max(0.36 - shape.cheek_y, 0.0)
        height += _bump(x, y, side * 0.56, shape.cheek_y, 0.22, 0.17, 0.045 + 0.35 * lift)
        height += _bump(x, y, side * shape.nose_wing_x * 0.85, shape.nose_wing_y - 0.02, 0.07, 0.07, 0.05)
    mouth_y = 0.5 * (face.middle.upper_lip_y + face.middle.lower_lip_y)
    height += _bump(x, y, 0.0, mouth_y, 0.34, 0.22, 0.05)
    height += _bump(x, y, 0.0, face.middle.lower_lip_y + 0.05, 0.2, 0.06, 0.03)
    height += _bump(x, y, 0.0, face.middle.chin_y - 0.16, 0.2, 0.13, 0.07)
    return height


def shade(height: Plane, head_height: float, light: tuple[float, float, float], ambient: float) -> Plane:
    """Return the brightness of a matt surface under one distant lamp, about 1 where it is lit fully.

    Args:
        height: A relief.
        head_height: The scale of heights with which it was made.
        light: Direction to the lamp as (right, down, towards the viewer); any length.
        ambient: Share of the light, in [0, 1], that comes from everywhere.
    """
    spacing = _STEP / UNIT
    slope_y, slope_x = np.gradient(height, spacing / head_height, spacing)
    towards = np.array(light) / np.linalg.norm(light)
    lit = towards[2] - slope_x * towards[0] - slope_y * towards[1]
    lit = np.maximum(lit / np.sqrt(1 + slope_x**2 + slope_y**2), 0)
    brightness: Plane = (ambient + (1 - ambient) * 1.1 * lit).astype(np.float32)
    return brightness


def _bump(x: Plane, y: Plane, at_x: float, at_y: float, width: float, height: float, amount: float) -> Plane:
    squared = ((x - at_x) / width) ** 2 + ((y - at_y) / height) ** 2
    bump: Plane = (amount * np.exp(-0.5 * squared)).astype(np.float32)
    return bump
