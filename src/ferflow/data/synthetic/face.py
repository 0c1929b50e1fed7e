"""A person at one moment, and where that puts the lids and the lips."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from ferflow.data.synthetic.action_units import FaceShape
from ferflow.data.synthetic.canvas import Points, curve
from ferflow.data.synthetic.identity import Identity


@dataclasses.dataclass(frozen=True)
class Face:
    """A person at one moment.

    Attributes:
        who: The person.
        left: The half of the face on the left of the picture, as the action units left it.
        right: The other half; expressions are never quite symmetric.
        gaze: Shift of the irises, (right, down) in face units.
    """

    who: Identity
    left: FaceShape
    right: FaceShape
    gaze: tuple[float, float] = (0.0, 0.0)

    @property
    def halves(self) -> tuple[tuple[int, FaceShape], tuple[int, FaceShape]]:
        """Both halves with the sign of their x in the picture."""
        return (-1, self.left), (1, self.right)

    @functools.cached_property
    def middle(self) -> FaceShape:
        """The mean of both halves, for what lies on the mid-line."""
        left, right = dataclasses.asdict(self.left), dataclasses.asdict(self.right)
        return FaceShape(**{name: 0.5 * (left[name] + right[name]) for name in left})


def eyelids(who: Identity, side: int, shape: FaceShape) -> tuple[Points, Points]:
    """Return the edges of the upper and of the lower lid, each from the inner to the outer corner.

    Args:
        who: Whose eye.
        side: -1 for the left of the picture, 1 for the right.
        shape: The half of the face that the eye is in.
    """
    t = np.linspace(-1, 1, 15)
    x = side * (who.eye_x + who.eye_width * t)
    rest = -who.eye_tilt * t
    upper = rest - shape.upper_lid * (1 - np.abs(t) ** 2.4) ** 0.8
    lower = rest + shape.lower_lid * (1 - np.abs(t) ** 2.2)
    return np.column_stack([x, upper]), np.column_stack([x, lower])


@dataclasses.dataclass(frozen=True)
class Lips:
    """Four edges, each float (N, 2) from the left to the right corner of the mouth, from top down."""

    top: Points  # outer edge of the upper lip, with its bow
    upper: Points  # lower edge of the upper lip
    lower: Points  # upper edge of the lower lip
    bottom: Points  # outer edge of the lower lip


def lips(face: Face) -> Lips:
    """Return the edges of a face's lips: joined in the corners, apart where jaw or muscles part them."""
    left, right = ((side * half.mouth_corner_x, half.mouth_corner_y) for side, half in face.halves)
    upper_y, lower_y = face.middle.upper_lip_y, face.middle.lower_lip_y
    top_y = upper_y - face.middle.upper_lip_thickness
    bottom_y = lower_y + face.middle.lower_lip_thickness

    def beside(corner: tuple[float, float], middle_y: float, follow: float) -> tuple[float, float]:
        return corner[0] * 0.55, middle_y + (corner[1] - middle_y) * follow

    def edge(middle_y: float, follow: float, *middle: tuple[float, float]) -> Points:
        ends = beside(left, middle_y, follow), beside(right, middle_y, follow)
        return curve([left, ends[0], *(middle or [(0.0, middle_y)]), ends[1], right])

    bow = (-0.07, top_y), (0.0, top_y + 0.022), (0.07, top_y)
    return Lips(
        top=edge(top_y + 0.018, 0.25, *bow),
        upper=edge(upper_y, 0.35),
        lower=edge(lower_y, 0.25),
        bottom=edge(bottom_y, 0.25),
    )
