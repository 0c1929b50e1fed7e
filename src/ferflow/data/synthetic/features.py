"""The features of a face, drawn where its action units have moved them."""

from __future__ import annotations

from typing import Final

import numpy as np

from ferflow.data.synthetic.canvas import Canvas, Points, curve, ellipse, shifted
from ferflow.data.synthetic.face import Face, eyelids, lips
from ferflow.data.synthetic.identity import Identity

_IRIS: Final = 0.098  # radius in face units
_MOUTH_DARK: Final = 0.10
_TEETH: Final = 0.84


def draw_features(canvas: Canvas, face: Face) -> None:
    """Draw nose, mouth, eyes and brows."""
    draw_nose(canvas, face)
    draw_mouth(canvas, face)
    draw_eyes(canvas, face)
    draw_brows(canvas, face)


def draw_eyes(canvas: Canvas, face: Face) -> None:
    """Draw both eyes: sclera, iris and pupil between the lids, lashes, the fold above, the pouch below."""
    who = face.who
    for side, shape in face.halves:
        upper, lower = eyelids(who, side, shape)
        x, y = side * who.eye_x + face.gaze[0], face.gaze[1] - 0.012
        opening = np.vstack([upper, lower[::-1]])
        canvas.inside(
            opening,
            [
                (opening, min(0.93, 0.55 + 0.45 * who.skin)),
                (ellipse(x, y, _IRIS, _IRIS / canvas.head_height), who.iris),
                (ellipse(x, y, 0.045, 0.045), 0.03),
                (ellipse(x - 0.03, y - 0.035, 0.022, 0.022), 0.95),
            ],
        )
        canvas.line(upper, 0.04, who.skin * 0.22)
        canvas.line(lower, 0.018, who.skin * 0.55)
        canvas.crease(shifted(upper, 0.0, -0.055), 0.45, 0.025)
        # The pouch below the eye deepens as the lower lid is pushed up.
        pushed = max(who.resting.lower_lid - shape.lower_lid, 0.0)
        canvas.crease(shifted(lower, 0.0, 0.05), 0.12 + 0.3 * who.age + 6.0 * pushed, 0.025)


def draw_brows(canvas: Canvas, face: Face) -> None:
    """Draw both brows, thick at the inner end and thin at the outer."""
    thick = face.who.brow_thickness
    for side, shape in face.halves:
        edge = [
            (side * shape.brow_inner_x, shape.brow_inner_y - 0.5 * thick),
            (side * 0.47, shape.brow_peak_y - 0.5 * thick),
            (side * 0.73, shape.brow_outer_y),
            (side * 0.47, shape.brow_peak_y + 0.4 * thick),
            (side * shape.brow_inner_x, shape.brow_inner_y + 0.6 * thick),
        ]
        canvas.fill(curve(edge, closed=True), face.who.brow, 0.92)


def draw_nose(canvas: Canvas, face: Face) -> None:
    """Draw nostrils, wings and the lower edge of the nose; its ridge comes from the relief."""
    for side, shape in face.halves:
        x, y = shape.nose_wing_x, shape.nose_wing_y
        canvas.fill(ellipse(side * x * 0.55, y + 0.035, 0.055, 0.03), face.who.skin * 0.25, 0.9)
        wing = [(x * 0.95, y - 0.12), (x * 1.12, y - 0.02), (x * 0.9, y + 0.045)]
        canvas.crease(_on_side(wing, side), 0.6)
    tip = face.middle.nose_wing_y + 0.07
    canvas.crease(curve([(-0.08, tip), (0.0, tip + 0.015), (0.08, tip)]), 0.4)


def draw_mouth(canvas: Canvas, face: Face) -> None:
    """Draw the lips and, where they are apart, teeth, tongue and the dark between them."""
    who, middle = face.who, face.middle
    edges = lips(face)
    canvas.fill(np.vstack([edges.top, edges.upper[::-1]]), who.lips * 0.9)
    canvas.fill(np.vstack([edges.lower, edges.bottom[::-1]]), who.lips)
    gap = middle.lower_lip_y - middle.upper_lip_y
    if gap > 0.015:
        opening = np.vstack([edges.upper, edges.lower[::-1]])
        # The upper teeth hang from the skull; the lower ones fall with the jaw, and are seen only
        # where the lip is drawn further down than the jaw.
        shapes = [(opening, _MOUTH_DARK), (_band(edges.upper, min(0.10, 0.75 * gap)), _TEETH)]
        jaw = max(middle.chin_y - who.resting.chin_y, 0.0) * 1.8
        if middle.lower_lip_y - who.resting.lower_lip_y - jaw > 0.05:
            shapes.append((_band(edges.lower, -0.06), _TEETH * 0.9))
        elif gap > 0.16:
            shapes.append((ellipse(0, middle.lower_lip_y + 0.01, 0.17, 0.07), who.lips * 0.75))
        canvas.inside(opening, shapes)
        canvas.line(edges.lower, 0.018, who.lips * 0.5)
    canvas.line(edges.upper, 0.026, who.lips * 0.4)
    below = middle.lower_lip_y + middle.lower_lip_thickness
    canvas.crease(curve([(-0.16, below + 0.05), (0, below + 0.07), (0.16, below + 0.05)]), 0.3)


def draw_furrows(canvas: Canvas, face: Face) -> None:
    """Draw the folds of the skin that the action units and age have made."""
    for side, shape in face.halves:
        raised = 0.2 * (-0.34 - shape.brow_peak_y)
        for height in (0.16, 0.25, 0.34):
            y = shape.brow_peak_y - height
            forehead = [(0.0, y + 0.03 + raised), (0.3, y), (0.62, y + 0.05)]
            canvas.crease(_on_side(forehead, side), 0.55 * shape.forehead_furrow)
        frown = [
            (shape.brow_inner_x * 0.5, shape.brow_inner_y - 0.13),
            (shape.brow_inner_x * 0.38, shape.brow_inner_y + 0.1),
        ]
        canvas.crease(_on_side(frown, side), 0.75 * shape.glabella_furrow)
        for y in (0.02, 0.12, 0.22):
            wrinkle = [(0.0, y + 0.03), (0.1, y), (0.17, y + 0.07)]
            canvas.crease(_on_side(wrinkle, side), 0.7 * shape.nose_bridge_furrow)
        corner = face.who.eye_x + face.who.eye_width
        for slope in (-0.07, 0.02, 0.11):
            ray = [(corner + 0.04, slope * 0.4), (corner + 0.2, slope * 1.3)]
            canvas.crease(_on_side(ray, side), 0.6 * shape.crow_feet, 0.025)
        x, y = shape.mouth_corner_x, shape.mouth_corner_y
        smile = [
            (shape.nose_wing_x + 0.05, shape.nose_wing_y - 0.08),
            (x * 0.55 + 0.2, 0.5 * (shape.nose_wing_y + y) - 0.03),
            (x + 0.12, y - 0.02),
            (x + 0.11, y + 0.06),
        ]
        canvas.crease(_on_side(smile, side), 0.75 * shape.nasolabial_furrow, 0.045)
        droop = [(x + 0.04, y + 0.02), (x + 0.07, y + 0.14)]
        canvas.crease(_on_side(droop, side), 0.6 * shape.chin_furrow, 0.045)
    y = face.middle.lower_lip_y + face.middle.lower_lip_thickness + 0.1
    canvas.crease(curve([(-0.24, y + 0.05), (0, y), (0.24, y + 0.05)]), 0.6 * face.middle.chin_furrow)


def draw_glasses(canvas: Canvas, who: Identity) -> None:
    """Draw the frame of a pair of glasses, if the person wears one."""
    if not who.glasses:
        return
    tone = 0.35 * (1 - who.glasses) + 0.05
    for side in (-1, 1):
        rim = ellipse(side * (who.eye_x + 0.01), 0.05, 0.32, 0.25)
        canvas.line(np.vstack([rim, rim[:1]]), 0.04, tone)
        canvas.line(np.array([(side * 0.74, 0.0), (side * 1.0, -0.03)]), 0.04, tone)
    canvas.line(curve([(-0.12, 0.02), (0, -0.02), (0.12, 0.02)]), 0.04, tone)


def _band(edge: Points, height: float) -> Points:
    return np.vstack([edge, shifted(edge, 0.0, height)[::-1]])


def _on_side(points: list[tuple[float, float]], side: int) -> Points:
    return curve([(side * x, y) for x, y in points])
