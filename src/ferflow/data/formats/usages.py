"""The words by which data sets call their splits."""

from __future__ import annotations

from typing import Final

#: FER-2013's usages and what they mean: chosen on PublicTest, reported on PrivateTest.
OFFICIAL_USAGES: Final = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}

_USAGES: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "eval": "val",
    "test": "test",
    "testing": "test",
    **{word.lower(): usage for word, usage in OFFICIAL_USAGES.items()},
}

#: For messages: how a split can be called.
USAGE_WORDS: Final = ", ".join(_USAGES)


def parse_usage(word: str) -> str | None:
    """Return the split ("train", "val" or "test") that `word` means, in any case, or None."""
    return _USAGES.get(word.strip().lower())
