from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from ferflow.data.duplicates import find_duplicates

SAMPLES = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["happy", "sad", "fear"])), max_size=30
)


@given(SAMPLES)
def test_groups_are_those_that_a_search_of_all_pairs_finds(samples: list[tuple[str, str]]) -> None:
    pixels = [image for image, _ in samples]
    labels = [label for _, label in samples]
    found = find_duplicates(pd.Series(pixels, dtype="str"), pd.Series(labels, dtype="str"))
    for row, (image, _) in enumerate(samples):
        same = [other for other, pixel in enumerate(pixels) if pixel == image]
        assert list(np.flatnonzero(found.group == found.group[row])) == same
        assert found.size[row] == len(same)
        assert found.contradictory[row] == (len({labels[other] for other in same}) > 1)


@given(SAMPLES, st.data())
def test_a_group_is_in_a_split_if_one_of_its_samples_is(
    samples: list[tuple[str, str]], data: st.DataObject
) -> None:
    words = st.sampled_from(["train", "test", None])
    split = np.array(data.draw(st.lists(words, min_size=len(samples), max_size=len(samples))), dtype=object)
    pixels = pd.Series([image for image, _ in samples], dtype="str")
    found = find_duplicates(pixels, pd.Series([label for _, label in samples], dtype="str"))
    in_test = set(pixels[split == "test"])
    assert list(found.in_split(split, "test")) == [image in in_test for image in pixels]
