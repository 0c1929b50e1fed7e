from __future__ import annotations

import pytest

from ferflow.page import text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(48.4, "48 s"), (420, "7 min"), (7500, "2 h 05 min"), (5340, "89 min"), (5400, "1 h 30 min")],
)
def test_times_are_in_the_unit_that_people_wait_in(seconds: float, expected: str) -> None:
    assert text.duration(seconds) == expected


def test_small_p_values_are_not_zero() -> None:
    assert text.p_value(1e-30) == "< 0.001"
    assert text.p_value(0.0123) == "= 0.012"


def test_words_are_listed_as_people_do() -> None:
    assert text.listed([]) == "none"
    assert text.listed(["a"]) == "a"
    assert text.listed(["a", "b"]) == "a and b"
    assert text.listed(["a", "b", "c"]) == "a, b and c"


def test_times_of_an_image_keep_what_is_measured() -> None:
    assert text.milliseconds(0.0004) == "0.000 ms"
    assert text.milliseconds(0.4) == "0.400 ms"
    assert text.milliseconds(15.27) == "15.3 ms"
