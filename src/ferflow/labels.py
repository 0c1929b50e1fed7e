"""The emotions, their order, and the names that data sets use for them."""

from __future__ import annotations

from typing import Final

#: The seven emotions in FER-2013's order (class 0 to 6): the order of every probability vector,
#: confusion matrix and table in ferflow (Goodfellow et al., ICML 2013 workshop).
EMOTIONS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

#: Other names by which folders and label columns call an emotion, in lower case.
ALIASES: Final = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "calm": "neutral",
}

_INDEX: Final = {name: index for index, name in enumerate(EMOTIONS)}


def parse_label(name: str) -> str | None:
    """Return the emotion that `name` means, or None if it means none of the seven.

    Args:
        name: A folder's or a label column's word, in any case, e.g. `"Happiness"`.
    """
    word = name.strip().lower()
    word = ALIASES.get(word, word)
    return word if word in _INDEX else None


def label_index(label: str) -> int:
    """Return the class number (0 to 6) of an emotion in `EMOTIONS`."""
    return _INDEX[label]
