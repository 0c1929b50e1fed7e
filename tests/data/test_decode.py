from __future__ import annotations

import itertools
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from ferflow.data.decode import RejectedImageError, decode

GRAY: npt.NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
RAMP_16 = np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20)


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def with_alpha(mode: str) -> Image.Image:
    image = Image.fromarray(GRAY).convert(mode)
    image.putalpha(Image.fromarray(GRAY.T.copy()))
    return image


def png_that_declares(path: Path, width: int, height: int) -> Path:
    def chunk(name: bytes, content: bytes) -> bytes:
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
    )
    return path


def rejection(path: Path) -> RejectedImageError:
    with pytest.raises(RejectedImageError) as error:
        decode(path, 20)
    assert error.value.reason == str(error.value)
    assert error.value.remedy
    return error.value


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        *itertools.product(["png", "bmp", "tif", "webp"], ["L", "RGB"]),
        ("gif", "L"),
        ("pgm", "L"),
        ("ppm", "RGB"),
    ],
)
def test_gray_levels_of_lossless_files_are_kept_exactly(tmp_path: Path, suffix: str, mode: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"face.{suffix}", Image.fromarray(GRAY).convert(mode), **options)
    pixels, size = decode(path, 20)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (20, 20, 1)
    assert size == (20, 20)
    np.testing.assert_array_equal(pixels[:, :, 0], GRAY)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_transparency_is_ignored(tmp_path: Path, mode: str) -> None:
    path = saved(tmp_path / "face.png", with_alpha(mode))
    with Image.open(path) as image:
        assert image.mode == {"L": "LA", "RGB": "RGBA"}[mode]
    np.testing.assert_array_equal(decode(path, 20)[0][:, :, 0], GRAY)


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray((GRAY > 127).astype(np.uint8), mode=None).convert("P")
    image.putpalette([200, 200, 200, 10, 10, 10])
    pixels, _ = decode(saved(tmp_path / "face.png", image), 20)
    np.testing.assert_array_equal(pixels[:, :, 0], np.where(GRAY > 127, 10, 200))


def test_black_and_white_is_0_and_255(tmp_path: Path) -> None:
    pixels, _ = decode(saved(tmp_path / "face.png", Image.fromarray(GRAY > 127)), 20)
    np.testing.assert_array_equal(pixels[:, :, 0], np.where(GRAY > 127, 255, 0))


@pytest.mark.parametrize(("color", "luma"), [("red", 76), ("lime", 150), ("blue", 29), ("white", 255)])
def test_colors_have_the_weights_of_itu_r_601(tmp_path: Path, color: str, luma: int) -> None:
    pixels, _ = decode(saved(tmp_path / "face.png", Image.new("RGB", (20, 20), color)), 20)
    assert abs(int(pixels[0, 0, 0]) - luma) <= 1


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_gray_keeps_its_upper_8_bits_and_does_not_turn_white(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"face.{suffix}"
    if suffix == "pgm":
        path.write_bytes(b"P5 20 20 65535\n" + RAMP_16.astype(">u2").tobytes())
    else:
        saved(path, Image.fromarray(RAMP_16))
    np.testing.assert_array_equal(decode(path, 20)[0][:, :, 0], RAMP_16 >> 8)


def test_jpeg_is_close(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(20), np.arange(20)).astype(np.uint8) * 5
    pixels, _ = decode(saved(tmp_path / "face.jpg", Image.fromarray(smooth), quality=95), 20)
    np.testing.assert_allclose(pixels[:, :, 0], smooth, atol=4)


@pytest.mark.parametrize(
    ("ink", "level"), [((0, 0, 0, 0), 255), ((0, 0, 0, 255), 0), ((255, 255, 255, 0), 0)]
)
def test_cmyk_is_ink_on_white(tmp_path: Path, ink: tuple[int, int, int, int], level: int) -> None:
    pixels, _ = decode(saved(tmp_path / "face.jpg", Image.new("CMYK", (20, 20), ink)), 20)
    np.testing.assert_allclose(pixels, level, atol=3)


def test_a_photograph_is_turned_upright_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: to be turned clockwise
    sideways = np.zeros((20, 20), dtype=np.uint8)
    sideways[:, :10] = 255
    path = saved(tmp_path / "face.jpg", Image.fromarray(sideways), exif=exif, quality=95)
    pixels, _ = decode(path, 20)
    np.testing.assert_allclose(pixels[:8], 255, atol=6)
    np.testing.assert_allclose(pixels[12:], 0, atol=6)


@pytest.mark.parametrize("size", [(200, 120), (30, 50), (7, 5), (1, 1), (20, 21)])
def test_other_sizes_are_resampled_and_the_original_size_is_told(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    image = Image.new("L", size, 30)
    image.paste(220, (0, 0, (size[0] + 1) // 2, size[1]))
    pixels, original = decode(saved(tmp_path / "face.png", image), 20)
    assert pixels.shape == (20, 20, 1)
    assert original == size
    assert np.all(np.diff(pixels[:, :, 0].astype(int), axis=1) <= 0)
    assert abs(float(pixels.mean()) - float(np.asarray(image).mean())) < 5


@pytest.mark.parametrize("name", ["face.jpg", "face.txt", "face", "glücklich 😀.png"])
def test_a_file_is_judged_by_its_content_not_its_name(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / name, Image.fromarray(GRAY), format="PNG")
    np.testing.assert_array_equal(decode(path, 20)[0][:, :, 0], GRAY)


def test_an_empty_file_is_rejected_as_such(tmp_path: Path) -> None:
    (tmp_path / "face.png").touch()
    assert rejection(tmp_path / "face.png").reason == "empty file"


@pytest.mark.parametrize(
    "content", [b"not an image", b"<html></html>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\0"]
)
def test_other_files_are_rejected_as_no_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "face.png").write_bytes(content)
    assert rejection(tmp_path / "face.png").reason == "not an image"


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
def test_a_truncated_image_is_rejected_as_damaged(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (100, 100), dtype=np.uint8)
    path = saved(tmp_path / f"face.{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    # A TIFF's directory stands at its end, and a WebP is read as a whole: without the rest they are nothing.
    expected = ("damaged image (", "not an image") if suffix in {"tif", "webp"} else "damaged image ("
    assert rejection(path).reason.startswith(expected)


def test_an_image_with_a_flipped_byte_is_rejected_where_the_format_can_tell(tmp_path: Path) -> None:
    path = saved(tmp_path / "face.png", Image.fromarray(GRAY))
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 30] ^= 0xFF
    path.write_bytes(content)
    assert rejection(path).reason.startswith("damaged image (")


def test_whatever_a_plug_in_raises_is_a_rejection(tmp_path: Path) -> None:
    # A DirectDraw surface of no known pixel format: Pillow raises NotImplementedError.
    header = struct.pack("<7I44x", 124, 0x1007, 16, 16, 0, 0, 0)
    pixel_format = struct.pack("<8I20x", 32, 0x99, 0, 0, 0, 0, 0, 0)
    (tmp_path / "face.dds").write_bytes(b"DDS " + header + pixel_format + bytes(400))
    assert "Unknown pixel format" in rejection(tmp_path / "face.dds").reason


@pytest.mark.parametrize("side", [30_000, 10_000], ids=["far beyond", "where Pillow only warns"])
def test_a_small_file_that_declares_a_huge_image_is_rejected(tmp_path: Path, side: int) -> None:
    path = png_that_declares(tmp_path / "bomb.png", side, side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert rejection(path).reason == "too many pixels"


def test_what_is_no_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
    for name in ("folder.png", "dangling.png"):
        assert rejection(tmp_path / name).reason.startswith("damaged image (")
