"""What the rows of a table say about each image, and where they disagree."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import NamedTuple

from ferflow.data.formats.listing import shown
from ferflow.labels import LabelNames


class Mention(NamedTuple):
    """What one row says of an image.

    Attributes:
        source: The image's.
        line: The row's; the first is 1.
        label_name: The word by which the row calls its emotion.
        usage: The split that the row declares: "train", "val", "test" or None.
    """

    source: str
    line: int
    label_name: str
    usage: str | None


class Mentions:
    """The first row of each image, and the images whose rows disagree.

    Attributes:
        first: Each image's first mention, by its source.
        contradictions: For each image whose rows disagree, what they say.
    """

    def __init__(self, names: LabelNames) -> None:
        self.first: dict[str, Mention] = {}
        self.contradictions: dict[str, str] = {}
        # Other words for the same emotion are no contradiction.
        self._meaning = lru_cache(maxsize=1024)(lambda word: names.parse(word) or word.lower())

    def add(self, mention: Mention) -> None:
        """Take in one more row, in the order of the table."""
        # The same few words in every row.
        mention = mention._replace(label_name=sys.intern(mention.label_name))
        first = self.first.setdefault(mention.source, mention)
        if first is mention or mention.source in self.contradictions:
            return
        if self._meaning(first.label_name) != self._meaning(mention.label_name):
            words = [f"as {shown(each.label_name)} (line {each.line})" for each in (first, mention)]
        elif first.usage != mention.usage:
            words = [f"in {each.usage or 'no split'} (line {each.line})" for each in (first, mention)]
        else:
            return
        self.contradictions[mention.source] = f"listed {words[0]} and {words[1]}"
