"""The head without its features: outline, neck, ears, hair and beard."""

from __future__ import annotations

import numpy as np

from ferflow.data.synthetic.action_units import FaceShape
from ferflow.data.synthetic.canvas import Canvas, Points, curve, ellipse, mirrored
from ferflow.data.synthetic.identity import Identity


def outline(who: Identity, shape: FaceShape) -> Points:
    """Return the closed outline of the face, from the crown to the chin."""
    jaw_y = 0.72 + 0.5 * (shape.chin_y - 1.32)
    right = [
        (0.0, -1.36),
        (0.55, -1.22),
        (0.89, -0.85),
        (0.99, -0.35),
        (0.97, 0.2),
        (who.jaw_width, jaw_y),
        (who.chin_width, shape.chin_y - 0.06),
        (0.0, shape.chin_y),
    ]
    return curve(mirrored(right), closed=True)


def draw_behind(canvas: Canvas, who: Identity, rng: np.random.Generator) -> None:
    """Draw what lies behind the face: long hair, neck, clothes and ears."""
    if who.hair in ("long", "scarf"):
        wide = 1.0 + who.hair_volume
        right = [
            (0.0, -1.42 - who.hair_volume),
            (0.75, -1.2 - who.hair_volume),
            (wide, -0.5),
            (wide + 0.08, 0.5),
            (wide + 0.02, 1.5),
            (0.5, 1.9),
        ]
        canvas.fill(curve(mirrored(right), closed=True), who.hair_tone * 0.8)
    if who.hair == "curly":
        canvas.fill(
            _curls(0.0, -0.55, 1.06 + who.hair_volume, 0.98 + who.hair_volume, rng), who.hair_tone * 0.85
        )
    canvas.fill(
        np.array([(-0.55, 0.8), (0.55, 0.8), (0.62, 1.6), (1.2, 1.8), (-1.2, 1.8), (-0.62, 1.6)]),
        who.skin * 0.68,
    )
    clothes = float(rng.uniform(0.1, 0.9))
    canvas.fill(
        curve([(-1.8, 1.62), (-0.6, 1.5), (0, 1.68), (0.6, 1.5), (1.8, 1.62), (1.8, 2), (-1.8, 2)]), clothes
    )
    if who.hair not in ("long", "scarf"):
        for side in (-1, 1):
            canvas.fill(ellipse(side * 1.0, 0.12, 0.12, 0.25), who.skin * 0.86)
            canvas.fill(ellipse(side * 1.02, 0.12, 0.05, 0.15), who.skin * 0.66)


def draw_hair(canvas: Canvas, who: Identity, rng: np.random.Generator) -> None:
    """Draw the hair that lies on the head: cap, hairline, side hair, and strands of other tones."""
    if who.hair == "scarf":
        _draw_scarf(canvas, who)
        return
    if who.hair == "shaved":
        cap = _cap(who, 0.0, who.hairline_y - 0.05, 0.0)
        canvas.fill(cap, who.hair_tone, opacity=0.35)
        return
    line_y, sides, volume = {
        "short": (who.hairline_y, -0.25, 0.45 * who.hair_volume),
        "parted": (who.hairline_y + 0.03, -0.1, who.hair_volume),
        "fringe": (max(who.hairline_y + 0.22, -0.62), -0.05, who.hair_volume),
        "curly": (who.hairline_y, -0.2, who.hair_volume),
        "long": (who.hairline_y, 0.75, who.hair_volume),
    }[who.hair]
    cap = _cap(who, volume, line_y, sides)
    canvas.fill(cap, who.hair_tone)
    for _ in range(24):
        _strand(canvas, who, cap, rng)


def draw_beard(canvas: Canvas, who: Identity, shape: FaceShape) -> None:
    """Draw a beard that follows the jaw and leaves the lips free."""
    top = shape.upper_lip_y - shape.upper_lip_thickness
    opacity = {"none": 0.0, "stubble": 0.28, "moustache": 0.0, "full": 0.8}[who.beard]
    if opacity:
        right = [
            (0.0, top - 0.06),
            (0.3, top - 0.02),
            (0.55, 0.72),
            (0.9, 0.25),
            (who.jaw_width + 0.03, 0.75),
            (who.chin_width + 0.02, shape.chin_y - 0.03),
            (0.0, shape.chin_y + 0.03),
        ]
        canvas.fill(curve(mirrored(right), closed=True), who.hair_tone, opacity)
    if who.beard in ("moustache", "full"):
        reach, drop = max(shape.mouth_corner_x, 0.34) + 0.06, shape.mouth_corner_y + 0.02
        right = [(0.0, top - 0.07), (0.22, top - 0.09), (reach, drop), (0.24, top + 0.02), (0.0, top - 0.01)]
        canvas.fill(curve(mirrored(right), closed=True), who.hair_tone, 0.85)


def _draw_scarf(canvas: Canvas, who: Identity) -> None:
    opening = curve(
        mirrored([(0.0, -0.82), (0.6, -0.66), (0.86, -0.1), (0.8, 0.6), (0.42, 1.2), (0.0, 1.33)]),
        closed=True,
    )
    fabric = curve(
        mirrored([(0.0, -1.5), (0.8, -1.2), (1.16, -0.3), (1.1, 0.7), (0.9, 1.5), (0.0, 1.9)]), closed=True
    )
    # One outline with a hole: out along the fabric, in along the face.
    canvas.fill(np.vstack([fabric, fabric[:1], opening[:1], opening[::-1]]), who.hair_tone)
    for bend in (0.07, 0.15):
        canvas.crease(opening * [1 + bend, 1 + bend], 0.35, 0.03)


def _cap(who: Identity, volume: float, line_y: float, sides_y: float) -> Points:
    part = who.parting_x if who.hair in ("parted", "long") else 0.0
    lift = 0.16 if who.hair in ("parted", "long") else 0.03
    outer = [
        (-1.0 - 0.4 * volume, sides_y),
        (-1.0 - volume, -0.5),
        (-0.72 - volume, -1.18 - 0.5 * volume),
        (0.0, -1.40 - volume),
        (0.72 + volume, -1.18 - 0.5 * volume),
        (1.0 + volume, -0.5),
        (1.0 + 0.4 * volume, sides_y),
    ]
    temple = 0.88 if who.hair == "long" else 0.93
    inner = [
        (temple, sides_y - 0.02),
        (temple - 0.02, -0.42),
        (0.74, line_y + 0.16),
        (0.42 + 0.4 * part, line_y - 0.02),
        (part, line_y - lift),
        (-0.42 + 0.4 * part, line_y - 0.02),
        (-0.74, line_y + 0.16),
        (-temple + 0.02, -0.42),
        (-temple, sides_y - 0.02),
    ]
    return np.vstack([curve(outer), curve(inner)])


def _curls(x: float, y: float, width: float, height: float, rng: np.random.Generator) -> Points:
    angles = np.linspace(0, 2 * np.pi, 34, endpoint=False)
    radius = 1 + 0.06 * rng.standard_normal(34)
    rim = np.column_stack([x + width * radius * np.cos(angles), y + height * radius * np.sin(angles)])
    return curve([(float(a), float(b)) for a, b in rim], closed=True, steps=4)


def _strand(canvas: Canvas, who: Identity, cap: Points, rng: np.random.Generator) -> None:
    half = len(cap) // 2
    position = float(rng.uniform(0.03, 0.97))
    start = cap[int(position * (half - 1))]
    end = cap[half + int((1 - position) * (half - 1))]
    a, b = np.sort(rng.uniform(0.05, 0.95, 2))
    tone = float(np.clip(who.hair_tone * rng.uniform(0.65, 1.3) + rng.uniform(0, 0.05), 0, 0.85))
    canvas.line(np.vstack([start + (end - start) * a, start + (end - start) * b]), 0.03, tone)
