from __future__ import annotations

import pytest

from ferflow.evaluation.wording import magnitude, points


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(0.0324, "+3.2"), (-0.004, "−0.4"), (0.0001, "0.0"), (-0.0001, "0.0"), (-1.0, "−100.0")],
)
def test_differences_have_a_sign_unless_they_are_none(difference: float, expected: str) -> None:
    assert points(difference) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.00 k"),
        (999_499, "999 k"),
        (999_600, "1.00 M"),
        (310_456, "310 k"),
        (2_733_369, "2.73 M"),
        (1_104_000_000, "1.10 G"),
        (4.1e12, "4.10 T"),
        (None, "–"),
    ],
)
def test_large_numbers_have_three_digits(number: float | None, expected: str) -> None:
    assert magnitude(number) == expected


def test_units_follow_their_prefix() -> None:
    assert magnitude(109e6, "FLOPs") == "109 MFLOPs"
    assert magnitude(12, "B") == "12.0 B"
    assert magnitude(None, "FLOPs") == "– FLOPs"
