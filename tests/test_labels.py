from __future__ import annotations

import pytest

from ferflow.labels import ALIASES, EMOTIONS, label_index, parse_label


def test_emotions_are_in_the_order_of_fer2013() -> None:
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert [label_index(name) for name in EMOTIONS] == list(range(7))


@pytest.mark.parametrize("name", EMOTIONS)
def test_an_emotion_means_itself_in_any_case_and_with_spaces_around_it(name: str) -> None:
    assert parse_label(name) == parse_label(name.upper()) == parse_label(f" {name.title()}\n") == name


@pytest.mark.parametrize(("alias", "emotion"), ALIASES.items())
def test_an_alias_is_lower_case_and_means_an_emotion_that_it_is_not(alias: str, emotion: str) -> None:
    assert alias == alias.lower()
    assert alias not in EMOTIONS
    assert parse_label(alias.title()) == emotion
    assert emotion in EMOTIONS


@pytest.mark.parametrize("name", ["", " ", "contempt", "happyy", "0", "train", "angry/", ".happy"])
def test_any_other_word_means_none(name: str) -> None:
    assert parse_label(name) is None


@pytest.mark.parametrize("name", ["joy", "Happy", ""])
def test_only_the_seven_names_have_a_number(name: str) -> None:
    with pytest.raises(KeyError):
        label_index(name)
