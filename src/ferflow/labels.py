"""The emotions, their order, and the names that data sets use for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
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
    word = ALIASES.get(_word(name), _word(name))
    return word if word in _INDEX else None


def label_index(label: str) -> int:
    """Return the class number (0 to 6) of an emotion in `EMOTIONS`."""
    return _INDEX[label]


@dataclass(frozen=True, slots=True)
class LabelNames:
    """The words by which one data set calls the emotions: the usual ones, and its own.

    Attributes:
        aliases: The data set's own words, each with the emotion that it means, or with a word that
            `parse_label` knows. They win over the usual ones.
        dropped: Words for classes that FER lacks and that are left out on purpose, e.g. `contempt`.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    dropped: Collection[str] = ()

    def parse(self, name: str) -> str | None:
        """Return the emotion that `name` means here, or None if it means none of the seven."""
        own = _by_word(self.aliases, name)
        return parse_label(name if own is None else own)

    def drops(self, name: str) -> bool:
        """Return whether `name` is a class that is left out on purpose."""
        return _word(name) in {_word(dropped) for dropped in self.dropped}

    def knows(self, name: str) -> bool:
        """Return whether `name` is a class of this data set, used or dropped."""
        return self.drops(name) or self.parse(name) is not None


def _by_word(aliases: Mapping[str, str], name: str) -> str | None:
    return next((emotion for alias, emotion in aliases.items() if _word(alias) == _word(name)), None)


def _word(name: str) -> str:
    return name.strip().lower()
