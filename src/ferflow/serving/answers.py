"""What is said of one image: the faces in it with their emotions, or why there is no answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["answered", "no face", "rejected"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright picture; right and bottom are the first pixels outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.bottom - self.top

    def edges(self) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom."""
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, slots=True)
class Face:
    """One face and its emotion.

    Attributes:
        emotion: The most probable one.
        probability: Of `emotion`, in [0, 1].
        probabilities: Of every emotion, in the model's order.
        box: Where the face is; None if the whole image was taken for one.
        detection: How sure the detector is that it is a face, in [0, 1]; None without a detector.
    """

    emotion: str
    probability: float
    probabilities: dict[str, float]
    box: Box | None = None
    detection: float | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an image cannot be used, and what its owner can do."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of one image.

    Attributes:
        image: Its path, or its place among the images: `#0` is the first.
        faces: The largest first; without a detector there is one, the whole image.
        rejection: Why it was not looked at; None if it was.
    """

    image: str
    faces: tuple[Face, ...] = ()
    rejection: Rejection | None = None

    @property
    def status(self) -> Status:
        """Whether there is an answer, no face, or no usable image."""
        if self.rejection is not None:
            return "rejected"
        return "answered" if self.faces else "no face"

    @property
    def emotion(self) -> str | None:
        """The emotion of the largest face; None if there is none."""
        return self.faces[0].emotion if self.faces else None

    @property
    def probabilities(self) -> dict[str, float] | None:
        """The probabilities of the largest face; None if there is none."""
        return self.faces[0].probabilities if self.faces else None
