"""From an emotion to a picture: a person, an expression, a drawing, a pose, a light and a camera."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from ferflow.data.synthetic import features, head, relief
from ferflow.data.synthetic.action_units import move
from ferflow.data.synthetic.canvas import SIDE, UNIT, Canvas, Plane
from ferflow.data.synthetic.expression import random_intensities
from ferflow.data.synthetic.face import Face
from ferflow.data.synthetic.identity import random_identity
from ferflow.data.synthetic.occlusion import occlude

#: Side of a finished picture, FER-2013's, and of the picture before it is reduced: pixels.
PICTURE: Final = 48
_LARGE: Final = 3 * PICTURE


@dataclasses.dataclass(frozen=True)
class Pose:
    """How the head is turned and where it is in the frame: radians, and shifts in face units."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    shift_x: float
    shift_y: float


def render(emotion: str, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return a picture, uint8 (48, 48), of a random person who shows `emotion`.

    Args:
        emotion: One of `ferflow.labels.EMOTIONS`.
        rng: Where all randomness comes from: the same state gives the same picture.
    """
    face = random_face(emotion, rng)
    tones, figure = _drawn(face, rng)
    columns, rows = _source_pixels(_random_pose(rng), face.who.head_height)
    tones, figure = _sampled(tones, columns, rows), _sampled(figure, columns, rows)
    picture = tones * figure + _background(rng) * (1 - figure)
    return _exposed(occlude(picture, face.who, rng), rng)


def random_face(emotion: str, rng: np.random.Generator) -> Face:
    """Return a random person who shows `emotion`, one half of the face a little more than the other."""
    who = random_identity(rng)
    intensities = random_intensities(emotion, rng)
    lean = float(np.clip(rng.normal(0, 0.07), -0.3, 0.3))
    left, right = (
        move(who.resting, {unit: amount * share for unit, amount in intensities.items()})
        for share in (1 - max(lean, 0.0), 1 - max(-lean, 0.0))
    )
    return Face(who, left, right, gaze=(float(rng.normal(0, 0.025)), float(rng.normal(0, 0.01))))


def _random_pose(rng: np.random.Generator) -> Pose:
    return Pose(
        yaw=float(np.clip(rng.normal(0, 0.16), -0.45, 0.45)),
        pitch=float(np.clip(rng.normal(0, 0.09), -0.25, 0.25)),
        roll=float(np.clip(rng.normal(0, 0.07), -0.25, 0.25)),
        scale=float(rng.uniform(1.05, 1.18)),
        shift_x=float(rng.normal(0, 0.035)),
        shift_y=float(rng.normal(-0.12, 0.035)),
    )


def _drawn(face: Face, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """Return the shaded drawing of a frontal face and the mask of what is not background."""
    who = face.who
    canvas = Canvas(who.head_height, 0.5)
    head.draw_behind(canvas, who, rng)
    canvas.fill(head.outline(who, face.middle), who.skin)
    features.draw_furrows(canvas, face)
    head.draw_beard(canvas, who, face.middle)
    features.draw_features(canvas, face)
    head.draw_hair(canvas, who, rng)
    features.draw_glasses(canvas, who)
    tones, figure = canvas.finished()
    lamp = (float(rng.normal(0, 0.5)), float(rng.uniform(-0.9, 0.1)), 1.0)
    light = relief.shade(relief.relief(face), who.head_height, lamp, ambient=float(rng.uniform(0.3, 0.6)))
    return np.clip(tones * _enlarged(light, SIDE), 0, 1), figure


def _source_pixels(pose: Pose, head_height: float) -> tuple[Plane, Plane]:
    """Return, for each pixel of the turned picture, the drawing's column and row that it shows."""
    axis = (np.arange(_LARGE, dtype=np.float32) + 0.5 - _LARGE / 2) / (0.96 * UNIT * pose.scale)
    seen_x, seen_y = np.meshgrid(axis - pose.shift_x, axis - pose.shift_y)
    cos, sin = np.cos(pose.roll), np.sin(pose.roll)
    level_x, level_y = cos * seen_x + sin * seen_y, cos * seen_y - sin * seen_x
    x, y = level_x, level_y
    # Which point of the head is seen depends on its depth, and the depth on the point: a fixed
    # point, reached in few steps because the dome is flatter than the line of sight is steep.
    for _ in range(4):
        depth = relief.dome(x, y / head_height)
        x = (level_x - np.sin(pose.yaw) * depth) / np.cos(pose.yaw)
        y = (level_y - np.sin(pose.pitch) * depth) / np.cos(pose.pitch)
    return x * UNIT + SIDE / 2 - 0.5, y * UNIT + SIDE / 2 - 0.5


def _sampled(plane: Plane, columns: Plane, rows: Plane) -> Plane:
    columns, rows = np.clip(columns, 0, SIDE - 1.001), np.clip(rows, 0, SIDE - 1.001)
    left, top = columns.astype(np.intp), rows.astype(np.intp)
    across, down = columns - left, rows - top
    upper = plane[top, left] * (1 - across) + plane[top, left + 1] * across
    lower = plane[top + 1, left] * (1 - across) + plane[top + 1, left + 1] * across
    between: Plane = (upper * (1 - down) + lower * down).astype(np.float32)
    return between


def _background(rng: np.random.Generator) -> Plane:
    patches = rng.uniform(0.05, 0.95) + 0.18 * rng.standard_normal((4, 4))
    return np.clip(_enlarged(patches.astype(np.float32), _LARGE), 0, 1)


def _exposed(picture: Plane, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return what a cheap camera makes of it: reduced, blurred, over- or underexposed, noisy."""
    image = Image.fromarray(picture).resize((PICTURE, PICTURE), Image.Resampling.BOX)
    blur = float(rng.choice([0.0, 0.4, 0.7, 0.95], p=[0.5, 0.25, 0.18, 0.07]))
    if blur:  # Pillow blurs whole gray levels only
        image = image.point(lambda tone: tone * 255).convert("L").filter(ImageFilter.GaussianBlur(blur))
    tones = np.asarray(image, dtype=np.float32) / (255 if blur else 1)
    # The exposure is metered in the middle of the frame: no face is lost in black.
    metered = max(float(np.percentile(tones[8:40, 10:38], 85)), 0.05)
    tones = np.clip(tones * (float(rng.uniform(0.6, 0.85)) / metered) ** 0.6, 0, 1)
    tones = tones ** float(rng.uniform(0.75, 1.3))
    tones = 0.5 + (tones - 0.5) * float(rng.uniform(0.8, 1.15)) + float(rng.normal(0, 0.03))
    grain = float(rng.choice([0.006, 0.014, 0.028], p=[0.5, 0.35, 0.15]))
    tones = tones + grain * rng.standard_normal(tones.shape)
    levels: npt.NDArray[np.uint8] = (np.clip(tones, 0, 1) * 255).round().astype(np.uint8)
    return levels


def _enlarged(plane: Plane, side: int) -> Plane:
    return np.asarray(Image.fromarray(plane).resize((side, side), Image.Resampling.BICUBIC))
