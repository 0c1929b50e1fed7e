"""What is read or looked at can be seen, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

CSS: Final = Path(__file__).parents[2] / "src/ferflow/page/page.css"


def _colours() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{([^}]*--page[^}]*)\}", CSS.read_text(encoding="utf-8"))
    found = {"light": dict(re.findall(r"--([\w-]+): (#\w{6})", light))}
    return found | {"dark": found["light"] | dict(re.findall(r"--([\w-]+): (#\w{6})", dark))}


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, another: str) -> float:
    low, high = sorted((_luminance(one), _luminance(another)))
    return (high + 0.05) / (low + 0.05)


TEXTS: Final = [
    *[(text, ground) for text in ("ink", "soft", "accent") for ground in ("page", "card")],
    *[("ink", ground) for ground in ("heat", "better", "worse", "warn-tint", "bad-tint")],
    *[("warn", "warn-tint"), ("bad", "bad-tint")],
]
LINES: Final = ["train", "val", "test", *(f"series-{number}" for number in range(7))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_text_can_be_read(scheme: str, text: str, ground: str) -> None:
    colours = _colours()[scheme]
    # WCAG 2.2, 1.4.3 (AA)
    assert _contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("line", LINES)
def test_lines_can_be_seen(scheme: str, line: str) -> None:
    colours = _colours()[scheme]
    # WCAG 2.2, 1.4.11 (AA)
    assert _contrast(colours[line], colours["card"]) >= 3
