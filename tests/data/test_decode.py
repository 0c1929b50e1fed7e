from __future__ import annotations

import itertools
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, PngImagePlugin

from ferflow.data.arrays import Images
from ferflow.data.decode import Edges, RejectedImageError, face, gray_picture

GRAY: npt.NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
RAMP_16 = np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20)


def decode(content: Path | Images, size: int, box: Edges | None = None) -> tuple[Images, tuple[int, int]]:
    picture, original = face(gray_picture(content), size, box)
    assert picture.mode == "L"
    return np.asarray(picture)[:, :, np.newaxis], original


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


def over_white(levels: Images, alpha: Images) -> npt.NDArray[np.float64]:
    return levels * (alpha / 255) + 255 * (1 - alpha / 255)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_is_transparent_is_laid_over_white(tmp_path: Path, mode: str, suffix: str) -> None:
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"face.{suffix}", with_alpha(mode), **options)
    with Image.open(path) as image:
        assert image.has_transparency_data
    np.testing.assert_allclose(decode(path, 20)[0][:, :, 0], over_white(GRAY, GRAY.T), atol=1)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_level_that_is_declared_transparent_is_white(tmp_path: Path, mode: str) -> None:
    levels = np.where(GRAY > 127, 255, 0).astype(np.uint8)
    black: Any = (0, 0, 0) if mode == "RGB" else 0
    image = Image.fromarray(levels).convert(mode)
    path = saved(tmp_path / "face.png", image, transparency=black)
    np.testing.assert_array_equal(decode(path, 20)[0], 255)


@pytest.mark.parametrize(("suffix", "transparency"), [("png", 1), ("png", b"\xff\x00"), ("gif", 1)])
def test_a_palette_with_a_transparent_entry_shows_white_there(
    tmp_path: Path, suffix: str, transparency: int | bytes
) -> None:
    image = Image.fromarray((GRAY > 127).astype(np.uint8)).convert("P")
    image.putpalette([10, 10, 10, 200, 200, 200])
    path = saved(tmp_path / f"face.{suffix}", image, transparency=transparency)
    np.testing.assert_array_equal(decode(path, 20)[0][:, :, 0], np.where(GRAY > 127, 255, 10))


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray((GRAY > 127).astype(np.uint8)).convert("P")
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


#: What the EXIF orientations ask for.
TURNS: dict[int, Callable[[Images], Images]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).T,
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_a_photograph_is_turned_upright_as_its_exif_says(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    corner = np.zeros((16, 32), dtype=np.uint8)
    corner[:8, :16] = 255
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"face.{suffix}", Image.fromarray(corner), exif=exif, **options)
    upright = TURNS[orientation](corner)
    pixels, original = decode(path, 16)
    assert original == upright.shape[::-1]
    np.testing.assert_allclose(pixels, decode(np.ascontiguousarray(upright), 16)[0], atol=1)


@pytest.mark.parametrize(
    "exif", [b"no such data", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"II"]
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_harm_no_photograph(tmp_path: Path, exif: bytes) -> None:
    path = saved(tmp_path / "face.jpg", Image.fromarray(GRAY), exif=b"Exif\0\0" + exif)
    plain = saved(tmp_path / "plain.jpg", Image.fromarray(GRAY))
    np.testing.assert_array_equal(decode(path, 20)[0], decode(plain, 20)[0])


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


def test_whatever_a_plug_in_raises_is_a_rejection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: object) -> None:
        raise NotImplementedError("Unknown pixel format")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load_prepare", unknown)
    file = saved(tmp_path / "face.png", Image.fromarray(GRAY))
    assert "Unknown pixel format" in rejection(file).reason


@pytest.mark.parametrize("side", [30_000, 10_000], ids=["far beyond", "where Pillow only warns"])
def test_a_small_file_that_declares_a_huge_image_is_rejected(tmp_path: Path, side: int) -> None:
    path = png_that_declares(tmp_path / "bomb.png", side, side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert rejection(path).reason == "too many pixels"


def frames(count: int) -> list[Image.Image]:
    return [Image.fromarray(np.roll(GRAY, 3 * number)) for number in range(count)]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_several_frames_in_one_file_are_rejected_with_their_number(tmp_path: Path, suffix: str) -> None:
    first, *others = frames(3)
    path = saved(tmp_path / f"face.{suffix}", first, save_all=True, append_images=others)
    error = rejection(path)
    assert error.reason == "3 frames in one file"
    assert "export the frame that shows the expression" in error.remedy


@pytest.mark.parametrize("suffix", ["gif", "png", "tif"])
def test_one_frame_in_a_format_for_several_is_an_image(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"face.{suffix}", frames(1)[0], save_all=True)
    np.testing.assert_array_equal(decode(path, 20)[0][:, :, 0], GRAY)


def test_a_stereo_photograph_is_its_first_picture(tmp_path: Path) -> None:
    bright, dark = Image.new("RGB", (20, 20), "white"), Image.new("RGB", (20, 20), "black")
    path = saved(tmp_path / "face.mpo", bright, save_all=True, append_images=[dark])
    with Image.open(path) as image:
        assert (image.format, getattr(image, "n_frames", 0)) == ("MPO", 2)
    np.testing.assert_array_equal(decode(path, 20)[0], 255)


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        (np.linspace(0, 1, 400, dtype=np.float32), "floating-point gray levels"),
        (np.arange(400, dtype=np.int32) * 1000, "gray levels beyond 16 bits"),
        (np.arange(400, dtype=np.int32) - 1, "gray levels beyond 16 bits"),
    ],
)
def test_levels_of_unknown_scale_are_rejected(tmp_path: Path, levels: npt.NDArray[Any], reason: str) -> None:
    path = saved(tmp_path / "face.tif", Image.fromarray(levels.reshape(20, 20)))
    assert rejection(path).reason == reason


def test_colours_without_a_rule_for_gray_are_rejected(tmp_path: Path) -> None:
    path = saved(tmp_path / "face.tif", Image.new("LAB", (20, 20)))
    assert rejection(path).reason == "colours stored as LAB"


def test_a_directory_a_missing_file_and_impossible_names_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
    assert rejection(tmp_path / "folder.png").reason == "not a regular file"
    assert rejection(tmp_path / "dangling.png").reason == "missing file"
    assert rejection(tmp_path / "gone.png").reason == "missing file"
    assert rejection(tmp_path / ("x" * 300)).reason.startswith("unreadable file (")
    assert rejection(Path("face\0.png")).reason.startswith("unreadable file (")


def test_a_pipe_is_rejected_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "face.png")
    assert rejection(tmp_path / "face.png").reason == "not a regular file"


def test_a_file_that_may_not_be_read_is_rejected_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "face.png", Image.fromarray(GRAY))

    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")  # to root, no file is closed

    monkeypatch.setattr(os, "open", refuse)
    assert rejection(path).reason == "unreadable file (Permission denied)"


def test_no_file_stays_open(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_bytes(b"text")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    saved(tmp_path / "good.png", Image.fromarray(GRAY))
    before = len(list(Path("/dev/fd").iterdir()))
    decode(tmp_path / "good.png", 20)
    for name in ("text.png", "empty.png", "folder.png", "gone.png"):
        rejection(tmp_path / name)
    assert len(list(Path("/dev/fd").iterdir())) == before


# --- Boxes and gray levels in memory


def test_gray_levels_in_memory_are_kept_or_resampled_as_those_of_a_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "face.png", Image.fromarray(GRAY))
    np.testing.assert_array_equal(decode(GRAY, 20)[0][:, :, 0], GRAY)
    np.testing.assert_array_equal(decode(GRAY, 13)[0], decode(path, 13)[0])
    assert decode(GRAY[:7], 20)[1] == (20, 7)


def test_a_box_is_cut_out_and_its_size_is_told() -> None:
    pixels, original = decode(GRAY, 5, (3, 8, 8, 13))
    assert original == (5, 5)
    np.testing.assert_array_equal(pixels[:, :, 0], GRAY[8:13, 3:8])


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-4, -5, 6, 5), (slice(0, 5), slice(0, 6))),
        ((15, 10, 99, 77), (slice(10, 20), slice(15, 20))),
        ((-9, -9, 99, 99), (slice(0, 20), slice(0, 20))),
    ],
)
def test_a_box_that_reaches_out_of_the_image_is_cut_off_there(
    box: Edges, inside: tuple[slice, slice]
) -> None:
    expected, size = decode(GRAY[inside].copy(), 10)
    pixels, original = decode(GRAY, 10, box)
    assert original == size
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("box", [(20, 0, 30, 10), (-5, 0, 0, 10), (5, 5, 5, 9), (8, 2, 3, 9), (0, 30, 5, 40)])
def test_a_box_with_nothing_of_the_image_is_rejected(box: Edges) -> None:
    with pytest.raises(RejectedImageError, match="20×20") as error:
        decode(GRAY, 10, box)
    assert str(box) in error.value.reason
    assert "left, top, right, bottom" in error.value.remedy


def test_a_box_is_in_pixels_of_the_upright_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = np.random.default_rng(3).integers(0, 256, (20, 30), dtype=np.uint8)
    path = saved(tmp_path / "face.png", Image.fromarray(wide), exif=exif)
    upright = np.rot90(wide, -1)
    pixels, _ = decode(path, 8, (2, 20, 10, 28))  # 28 is below the image as it is stored
    np.testing.assert_array_equal(pixels[:, :, 0], upright[20:28, 2:10])


def test_a_file_that_another_program_would_have_to_read_starts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ghostscript.parent}{os.pathsep}{os.environ['PATH']}")
    page = tmp_path / "page.jpg"
    page.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n")
    assert rejection(page).reason == "not an image"
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("format_", ["AVIF", "BMP", "GIF", "JPEG2000", "PPM", "TGA", "TIFF", "WEBP"])
def test_the_usual_formats_are_read_whatever_the_file_is_called(tmp_path: Path, format_: str) -> None:
    picture = Image.fromarray(np.full((20, 20), 200, dtype=np.uint8))
    path = tmp_path / "picture.png"
    picture.save(path, format_)
    assert abs(decode(path, 20)[0].astype(int) - 200).max() <= 3
