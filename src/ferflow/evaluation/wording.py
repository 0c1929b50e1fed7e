"""Numbers as people read them, in the leaderboard, in figures and on the page alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

MINUS: Final = "−"
_PREFIXES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def points(difference: float, decimals: int = 1) -> str:
    """Return a difference of two shares in percentage points with its sign, e.g. `+3.2` or `−0.4`."""
    value = round(100 * difference, decimals)
    return f"{value:+.{decimals}f}".replace("-", MINUS) if value else f"{0:.{decimals}f}"


def magnitude(number: float | None, unit: str = "") -> str:
    """Return a number with three digits and its prefix, e.g. `2.73 M` or `310 k`; an unknown one as `–`."""
    if number is None:
        return f"– {unit}".strip()
    for factor, prefix in _PREFIXES:
        if abs(number) >= 0.9995 * factor:
            return f"{three_digits(number / factor)} {prefix}{unit}"
    return f"{three_digits(number)} {unit}".strip()


def three_digits(value: float) -> str:
    """Return a number with three digits, or three decimals where it is below one, e.g. `1.00` or `0.040`."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")  # 0.9996 has its digits as 1.00
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{min(decimals, 3)}f}"


def shares(weights: Mapping[str, float]) -> list[str]:
    """Return the members of an ensemble, each with its share of the vote where they differ in it."""
    if len(set(weights.values())) == 1:
        return list(weights)
    total = sum(weights.values())
    return [f"{name} ({weight / total:.0%})" for name, weight in weights.items()]
