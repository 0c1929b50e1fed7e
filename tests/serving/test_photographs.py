from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferflow.data.decode import RejectedImageError, gray_picture
from ferflow.errors import FerflowError
from ferflow.serving.photographs import one_by_one, read_photograph

from .pictures import encoded, flat, noise


def as_address(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def test_one_picture_is_read_alike_however_it_is_given(tmp_path: Path) -> None:
    levels = noise()
    content = encoded(levels)
    file = tmp_path / "noise.png"
    file.write_bytes(content)
    given: list[Any] = [str(file), file, content, as_address(content), Image.open(file), levels]
    expected = np.asarray(gray_picture(file))
    for image in given:
        photograph = read_photograph(image, in_colour=True)
        np.testing.assert_array_equal(np.asarray(photograph.gray), expected)
        assert photograph.colour is not None
        np.testing.assert_array_equal(np.asarray(photograph.colour), levels)


def test_a_jpeg_is_read_like_its_decoded_levels() -> None:
    content = encoded(noise(), "JPEG")
    decoded = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(
        np.asarray(read_photograph(content).gray), np.asarray(read_photograph(decoded).gray)
    )


def test_colour_is_read_only_if_it_is_asked_for() -> None:
    assert read_photograph(noise()).colour is None


def test_colour_and_gray_are_both_upright() -> None:
    turned = Image.fromarray(noise(20, 30))
    exif = turned.getexif()
    exif[0x0112] = 6
    photograph = read_photograph(encoded(turned, "JPEG", exif=exif), in_colour=True)
    assert photograph.colour is not None
    assert photograph.gray.size == photograph.colour.size == (20, 30)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_was_turned_upright_is_not_turned_again(format_: str, orientation: int) -> None:
    lying = Image.fromarray(noise(20, 30))
    exif = lying.getexif()
    exif[0x0112] = orientation
    once = read_photograph(encoded(lying, format_, exif=exif), in_colour=True)
    assert once.colour is not None
    for picture in (once.gray, once.colour, once.colour.crop((0, 0, 10, 15))):
        again = read_photograph(picture).gray
        np.testing.assert_array_equal(np.asarray(again), np.asarray(picture.convert("L")))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_levels_may_have_one_three_or_four_channels(channels: int) -> None:
    levels = np.full((5, 6, channels), 255, dtype=np.uint8)
    assert np.asarray(read_photograph(levels).gray).tolist() == np.full((5, 6), 255).tolist()


def test_sixteen_bits_keep_their_upper_eight_in_colour_too() -> None:
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    photograph = read_photograph(encoded(Image.fromarray(levels)), in_colour=True)
    assert photograph.colour is not None
    np.testing.assert_array_equal(np.asarray(photograph.gray), levels >> 8)
    np.testing.assert_array_equal(np.asarray(photograph.colour)[..., 2], levels >> 8)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "empty file"),
        (b"no image", "not an image"),
        ("data:image/png;base64,", "empty file"),
        ("data:image/png;base64,%%%", "not a file in base64"),
        ("data:image/png,abc", "not a file in base64"),
        ("missing.png", "missing file"),
        (encoded(noise())[:-200], "damaged image"),
    ],
)
def test_what_is_no_image_is_rejected_with_the_reason(image: Any, reason: str) -> None:
    with pytest.raises(RejectedImageError, match=reason):
        read_photograph(image)


def test_an_animation_is_rejected_even_if_pillow_has_opened_it() -> None:
    frames = [Image.fromarray(np.squeeze(flat(level))) for level in (0, 99, 200)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    for image in (content, Image.open(io.BytesIO(content))):
        with pytest.raises(RejectedImageError, match="3 frames"):
            read_photograph(image)


def test_more_pixels_than_any_photograph_are_refused_before_they_are_decoded() -> None:
    content = encoded(flat(0))
    # Its header says 30,000 × 30,000, with the checksum of that: what is decoded would take 900 MB.
    header = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    bomb = content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    with pytest.raises(RejectedImageError, match="too many pixels"):
        read_photograph(bomb)


@pytest.mark.parametrize(
    ("images", "names"),
    [
        ("a.png", ["a.png"]),
        (Path("a.png"), ["a.png"]),
        (["a.png", b"", flat(0)], ["a.png", "#1", "#2"]),
        (as_address(b"x"), ["#0"]),
        (np.zeros((3, 8, 8, 1), np.uint8), ["#0", "#1", "#2"]),
        (np.zeros((8, 8), np.uint8), ["#0"]),
        ([], []),
    ],
)
def test_images_are_called_by_path_or_by_place(images: Any, names: list[str]) -> None:
    assert [name for name, _ in one_by_one(images)] == names


@pytest.mark.parametrize(
    ("levels", "problem"),
    [
        (np.zeros((8, 8), np.float32), "float32"),
        (np.zeros((2, 8, 8, 1), np.int64), "int64"),
        (np.zeros((8, 8, 2), np.uint8), r"\(8, 8, 2\)"),
        (np.zeros((0, 8), np.uint8), r"\(0, 8\)"),
        (np.zeros(8, np.uint8), r"\(8,\)"),
    ],
)
def test_an_array_that_is_no_image_is_an_error_of_the_caller(levels: Any, problem: str) -> None:
    with pytest.raises(FerflowError, match=f"an image is an array of .*{problem}: give uint8 levels"):
        list(one_by_one(levels))
