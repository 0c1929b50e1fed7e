from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ferflow.demo import pictures
from ferflow.demo.samples import samples


def opened(address: str) -> Image.Image:
    assert address.startswith("data:image/jpeg;base64,")
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def test_a_large_picture_is_shown_smaller_and_a_small_one_as_it_is() -> None:
    assert opened(pictures.whole(Image.new("RGB", (4000, 1000), "red"))).size == (1400, 350)
    assert opened(pictures.whole(Image.new("L", (40, 30), 99))).size == (40, 30)


def test_colour_is_where_the_heat_is() -> None:
    face = Image.new("L", (48, 48), 128)
    heat = np.zeros((24, 24), dtype=np.float32)
    heat[:12, :12] = 1
    shown = np.asarray(opened(pictures.with_heat(face, heat)), dtype=int)
    saturation = shown.max(axis=2) - shown.min(axis=2)
    half = len(shown) // 2
    assert saturation[: half - 20, : half - 20].min() > 60
    assert saturation[half + 20 :, half + 20 :].max() < 10


def test_heat_is_drawn_by_its_largest_value() -> None:
    """The mean of several networks' maps is nowhere 1."""
    face = Image.new("L", (48, 48), 128)
    heat = np.linspace(0, 1, 48 * 48, dtype=np.float32).reshape(48, 48)
    assert pictures.with_heat(face, (heat / 4).astype(np.float32)) == pictures.with_heat(face, heat)


def test_no_copy_is_made_of_a_large_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    large = Image.new("RGB", (3000, 2000))
    monkeypatch.setattr(large, "copy", lambda: pytest.fail("a copy"))
    assert opened(pictures.whole(large)).size == (1400, 933)


def test_the_samples_are_small_and_nobody_s() -> None:
    found = samples()
    assert len(found["astronaut"].content) < 60_000
    assert [name for name, sample in found.items() if not sample.is_face] == ["astronaut"]
