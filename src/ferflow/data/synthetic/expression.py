"""How an emotion shows on one face at one moment: clear or weak, pure or blended, never symmetric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ferflow.data.synthetic.action_units import EMOTION_ACTION_UNITS

#: Shares of faces whose expression is barely there, and that show a second emotion as well.
WEAK_FRACTION: Final = 0.08
BLENDED_FRACTION: Final = 0.08

#: Emotions that people confuse most with each one: the second emotion of a blend.
NEIGHBOURS: Final = {
    "angry": ("disgust", "sad", "neutral"),
    "disgust": ("angry", "sad"),
    "fear": ("surprise", "sad"),
    "happy": ("surprise", "neutral", "disgust"),
    "sad": ("fear", "angry", "neutral"),
    "surprise": ("fear", "happy"),
    "neutral": ("sad", "angry", "happy"),
}


def random_intensities(emotion: str, rng: np.random.Generator) -> dict[int, float]:
    """Return the intensity in [0, 1] of each action unit of one face that shows `emotion`.

    Most faces show the emotion's own action units, each with its own strength; a neutral face shows
    none. The rest are ambiguous, as in real data: weak ones, that could pass for neutral, and blends,
    in which the label is the stronger emotion.

    Args:
        emotion: One of `ferflow.labels.EMOTIONS`.
        rng: Where the randomness comes from.
    """
    kind = rng.random()
    strength = float(rng.uniform(0.55, 1.0))
    if kind < WEAK_FRACTION:
        strength = float(rng.uniform(0.15, 0.4))
    intensities = _jittered(EMOTION_ACTION_UNITS[emotion], strength, rng)
    if WEAK_FRACTION <= kind < WEAK_FRACTION + BLENDED_FRACTION:
        second = str(rng.choice(NEIGHBOURS[emotion]))
        share = float(rng.uniform(0.25, 0.6)) * (strength if emotion != "neutral" else 0.5)
        for number, intensity in _jittered(EMOTION_ACTION_UNITS[second], share, rng).items():
            intensities[number] = max(intensities.get(number, 0.0), intensity)
    return intensities


def _jittered(base: Mapping[int, float], strength: float, rng: np.random.Generator) -> dict[int, float]:
    jittered: dict[int, float] = {}
    for number, intensity in base.items():
        # Now and then one muscle hardly takes part: no action unit alone gives an emotion away.
        damping = 0.25 if rng.random() < 0.06 else 1.0
        amount = intensity * strength * damping * float(rng.lognormal(0, 0.2))
        jittered[number] = float(np.clip(amount, 0, 1))
    return jittered
