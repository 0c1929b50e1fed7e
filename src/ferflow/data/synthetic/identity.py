"""Who is drawn: everything about a face that does not change with its expression."""

from __future__ import annotations

import dataclasses
from typing import Final, Literal, TypeVar

import numpy as np

from ferflow.data.synthetic.action_units import FaceShape

Hair = Literal["shaved", "short", "parted", "fringe", "curly", "long", "scarf"]
Beard = Literal["none", "stubble", "moustache", "full"]
_Name = TypeVar("_Name", bound=str)

_HAIR: Final[dict[Hair, float]] = {
    "shaved": 0.10,
    "short": 0.21,
    "parted": 0.20,
    "fringe": 0.15,
    "curly": 0.12,
    "long": 0.17,
    "scarf": 0.05,
}
_BEARD: Final[dict[Beard, float]] = {"none": 0.74, "stubble": 0.10, "moustache": 0.07, "full": 0.09}

#: Fields of `FaceShape` in which people differ at rest, with the standard deviation. Resting faces
#: that look a little sad or stern are what makes a neutral face hard to tell, for people too.
_RESTING_SPREAD: Final = {
    "brow_inner_y": 0.022,
    "brow_peak_y": 0.022,
    "brow_outer_y": 0.022,
    "brow_inner_x": 0.015,
    "upper_lid": 0.012,
    "lower_lid": 0.010,
    "cheek_y": 0.020,
    "nose_wing_x": 0.016,
    "nose_wing_y": 0.020,
    "mouth_corner_x": 0.030,
    "mouth_corner_y": 0.018,
    "upper_lip_thickness": 0.014,
    "lower_lip_thickness": 0.018,
    "chin_y": 0.040,
}


@dataclasses.dataclass(frozen=True)
class Identity:
    """One person. Lengths are in half head widths, tones are gray levels from 0 (black) to 1."""

    resting: FaceShape
    head_height: float  # scale of all heights: 1 is an average head
    jaw_width: float
    chin_width: float
    skin: float
    lips: float  # tone of the lips
    eye_x: float  # distance of an eye from the mid-line
    eye_width: float  # half the distance between an eye's corners
    eye_tilt: float  # height of the outer above the inner corner
    iris: float  # tone of the iris
    brow_thickness: float
    brow: float  # tone of the brows
    hair: Hair
    hair_tone: float
    hairline_y: float
    hair_volume: float
    parting_x: float
    beard: Beard
    glasses: float  # 0 for none, else the darkness of the frame
    age: float  # from 0 to 1: how deep the lines of the resting face are


def random_identity(rng: np.random.Generator) -> Identity:
    """Return a person drawn at random: build, skin, hair, and how the face looks at rest."""
    age = float(rng.beta(1.6, 2.6))
    skin = float(rng.uniform(0.34, 0.9))
    # Dark skin goes with dark hair; on lighter skin every tone occurs, gray with age.
    hair_tone = float(rng.uniform(0.07, 0.2 + 0.55 * rng.random() * max(skin - 0.45, 0.0) / 0.45))
    if age > 0.55 and rng.random() < 0.5:
        hair_tone = float(rng.uniform(0.5, 0.85))
    hair = _choose(rng, _HAIR)
    beard = _choose(rng, _BEARD) if hair not in ("long", "scarf") else "none"
    return Identity(
        resting=_resting(rng, age),
        head_height=float(rng.uniform(0.93, 1.07)),
        jaw_width=float(rng.uniform(0.70, 0.90)),
        chin_width=float(rng.uniform(0.26, 0.42)),
        skin=skin,
        lips=float(np.clip(skin * rng.uniform(0.55, 0.78), 0.18, 0.62)),
        eye_x=float(rng.uniform(0.39, 0.46)),
        eye_width=float(rng.uniform(0.17, 0.215)),
        eye_tilt=float(rng.normal(0.012, 0.012)),
        iris=float(rng.uniform(0.08, 0.4 if skin > 0.6 else 0.16)),
        brow_thickness=float(rng.uniform(0.045, 0.095)),
        brow=float(np.clip(hair_tone * 0.8, 0.06, 0.6 * skin)),
        hair=hair,
        hair_tone=hair_tone,
        hairline_y=float(rng.uniform(-0.98, -0.74)),
        hair_volume=float(rng.uniform(0.06, 0.2)),
        parting_x=float(rng.uniform(-0.5, 0.5)),
        beard=beard,
        glasses=float(rng.uniform(0.5, 1.0)) if rng.random() < 0.13 else 0.0,
        age=age,
    )


def _resting(rng: np.random.Generator, age: float) -> FaceShape:
    neutral = FaceShape()
    moved = {name: getattr(neutral, name) + float(rng.normal(0, sd)) for name, sd in _RESTING_SPREAD.items()}
    # Some people are caught with their lips apart, whatever they feel.
    gap = float(rng.uniform(0.02, 0.07)) if rng.random() < 0.25 else 0.0
    return dataclasses.replace(
        neutral,
        **moved,
        lower_lip_y=neutral.lower_lip_y + gap,
        forehead_furrow=0.25 * age,
        glabella_furrow=0.2 * age * float(rng.random()),
        crow_feet=0.3 * age,
        nasolabial_furrow=0.1 + 0.45 * age,
    )


def _choose(rng: np.random.Generator, weights: dict[_Name, float]) -> _Name:
    names = list(weights)
    return names[int(rng.choice(len(names), p=list(weights.values())))]
