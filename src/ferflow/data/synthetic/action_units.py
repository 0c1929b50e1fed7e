"""Facial action units as displacements of a face's mobile parts, and the emotions made of them.

Source: P. Ekman, W. V. Friesen, J. C. Hager, "Facial Action Coding System" (2002), and the emotion
prototypes of its Investigator's Guide. Amounts are ours: chosen to be seen in a face 48 pixels high.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


@dataclasses.dataclass(frozen=True)
class FaceShape:
    """The mobile parts of one half of a face; the defaults are a face at rest.

    Lengths are in half head widths. The origin lies between the eyes; x grows away from the mid-line,
    y grows downwards. Furrows are depths: 0 is smooth skin, 1 a deep fold.
    """

    brow_inner_x: float = 0.17
    brow_inner_y: float = -0.29
    brow_peak_y: float = -0.34
    brow_outer_y: float = -0.27
    upper_lid: float = 0.105  # height of the upper lid above the line through the eye's corners
    lower_lid: float = 0.065  # depth of the lower lid below that line
    cheek_y: float = 0.36
    nose_wing_x: float = 0.18
    nose_wing_y: float = 0.50
    mouth_corner_x: float = 0.37
    mouth_corner_y: float = 0.84
    upper_lip_y: float = 0.835  # lower edge of the upper lip, on the mid-line
    lower_lip_y: float = 0.845  # upper edge of the lower lip, on the mid-line
    upper_lip_thickness: float = 0.075
    lower_lip_thickness: float = 0.105
    chin_y: float = 1.32
    forehead_furrow: float = 0.0
    glabella_furrow: float = 0.0
    nose_bridge_furrow: float = 0.0
    crow_feet: float = 0.0
    nasolabial_furrow: float = 0.15
    chin_furrow: float = 0.1


@dataclasses.dataclass(frozen=True)
class ActionUnit:
    """One facial action: its FACS name and what it moves at full intensity.

    Attributes:
        name: The name in the FACS manual.
        displacement: Added to the fields of `FaceShape`, in its units, at intensity 1.
    """

    name: str
    displacement: Mapping[str, float]


def _unit(name: str, **displacement: float) -> ActionUnit:
    return ActionUnit(name, MappingProxyType(displacement))


#: The action units that the seven emotions need, by FACS number.
ACTION_UNITS: Final[Mapping[int, ActionUnit]] = MappingProxyType(
    {
        # The inner end of the brow rises and wrinkles the middle of the forehead.
        1: _unit("inner brow raiser", brow_inner_y=-0.23, brow_peak_y=-0.08, forehead_furrow=0.5),
        # The outer part rises; the brow becomes an arch.
        2: _unit("outer brow raiser", brow_outer_y=-0.16, brow_peak_y=-0.18, forehead_furrow=0.5),
        # The brows come down and together; upright lines stand between them.
        4: _unit(
            "brow lowerer",
            brow_inner_x=-0.07,
            brow_inner_y=0.13,
            brow_peak_y=0.07,
            brow_outer_y=0.01,
            upper_lid=-0.015,
            glabella_furrow=1.0,
        ),
        # White shows above the iris.
        5: _unit("upper lid raiser", upper_lid=0.095),
        # The cheek is pushed up: the lower lid rises and lines fan out from the eye's corner.
        6: _unit("cheek raiser", cheek_y=-0.12, lower_lid=-0.055, upper_lid=-0.025, crow_feet=1.0),
        # Both lids close in on the iris.
        7: _unit("lid tightener", lower_lid=-0.045, upper_lid=-0.03),
        # The wings of the nose rise and widen, the bridge wrinkles, the upper lip is drawn along.
        9: _unit(
            "nose wrinkler",
            nose_wing_x=0.035,
            nose_wing_y=-0.09,
            brow_inner_y=0.09,
            brow_peak_y=0.04,
            lower_lid=-0.025,
            upper_lid=-0.03,
            cheek_y=-0.06,
            upper_lip_y=-0.07,
            nose_bridge_furrow=1.0,
            nasolabial_furrow=0.6,
        ),
        # The corners go up and out; the lips are drawn thin across the teeth and part.
        12: _unit(
            "lip corner puller",
            mouth_corner_x=0.17,
            mouth_corner_y=-0.18,
            cheek_y=-0.06,
            upper_lip_y=-0.035,
            lower_lip_y=0.085,
            upper_lip_thickness=-0.02,
            lower_lip_thickness=-0.015,
            nasolabial_furrow=0.75,
        ),
        # The corners go down; the chin wrinkles below them.
        15: _unit(
            "lip corner depressor",
            mouth_corner_x=-0.02,
            mouth_corner_y=0.15,
            upper_lip_y=-0.03,
            lower_lip_y=-0.02,
            nasolabial_furrow=0.25,
            chin_furrow=0.8,
        ),
        # The lower lip is drawn down and shows the lower teeth.
        16: _unit("lower lip depressor", lower_lip_y=0.11, lower_lip_thickness=0.02, chin_furrow=0.3),
        # The mouth is drawn flat and wide.
        20: _unit(
            "lip stretcher",
            mouth_corner_x=0.17,
            mouth_corner_y=0.05,
            upper_lip_thickness=-0.02,
            lower_lip_thickness=-0.025,
            lower_lip_y=0.03,
        ),
        # The lips are pressed thin and narrow.
        23: _unit(
            "lip tightener",
            mouth_corner_x=-0.05,
            upper_lip_thickness=-0.05,
            lower_lip_thickness=-0.065,
            chin_furrow=0.4,
        ),
        # The jaw falls and takes the lower lip and the corners with it.
        26: _unit(
            "jaw drop",
            mouth_corner_x=-0.10,
            mouth_corner_y=0.12,
            lower_lip_y=0.34,
            chin_y=0.19,
        ),
    }
)

#: How strongly each action unit takes part in each emotion at its fullest, from 0 to 1.
EMOTION_ACTION_UNITS: Final[Mapping[str, Mapping[int, float]]] = MappingProxyType(
    {
        "angry": MappingProxyType({4: 1.0, 5: 0.45, 7: 0.6, 23: 1.0}),
        "disgust": MappingProxyType({9: 1.0, 15: 0.55, 16: 0.8}),
        "fear": MappingProxyType({1: 1.0, 2: 0.5, 4: 0.6, 5: 0.9, 20: 1.0, 26: 0.4}),
        "happy": MappingProxyType({6: 0.9, 12: 1.0}),
        "sad": MappingProxyType({1: 1.0, 4: 0.55, 15: 1.0}),
        "surprise": MappingProxyType({1: 0.95, 2: 1.0, 5: 0.9, 26: 1.0}),
        "neutral": MappingProxyType({}),
    }
)


def move(shape: FaceShape, intensities: Mapping[int, float]) -> FaceShape:
    """Return `shape` with action units applied: displacements add up, as muscles pull together.

    What anatomy cannot do is held back: lids and lips do not pass through each other, and lips keep
    a visible rim.

    Args:
        shape: The face at rest.
        intensities: Intensity in [0, 1] by FACS number, each a key of `ACTION_UNITS`.
    """
    fields = dataclasses.asdict(shape)
    for number, intensity in intensities.items():
        for name, amount in ACTION_UNITS[number].displacement.items():
            fields[name] += amount * intensity
    fields["upper_lid"] = max(fields["upper_lid"], 0.012)
    fields["lower_lid"] = max(fields["lower_lid"], 0.004)
    fields["lower_lip_y"] = max(fields["lower_lip_y"], fields["upper_lip_y"])
    for lip in ("upper_lip_thickness", "lower_lip_thickness"):
        fields[lip] = max(fields[lip], 0.02)
    return FaceShape(**fields)
