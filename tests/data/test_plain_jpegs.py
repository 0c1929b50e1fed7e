from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferflow.data import decode_batch as module
from ferflow.data.arrays import Images
from ferflow.data.decode_batch import DecodedBatch, decode_batch
from ferflow.data.plain_jpegs import decode_together, plain_header

SIZE = 20


def noise(seed: int, width: int = SIZE, height: int = SIZE) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def jpeg(levels: Images, mode: str = "L", **options: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(levels).convert(mode).save(content, format="JPEG", **options)
    return content.getvalue()


def with_orientation() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(noise(0), exif=exif)


def alone(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return image.tobytes()


@pytest.fixture
def both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that decodes files with the short cut, and by Pillow alone."""

    def decode(contents: list[bytes]) -> tuple[DecodedBatch, DecodedBatch]:
        files = [tmp_path / str(number) for number in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
        jobs: list[module.Job] = [(str(file), None) for file in files]
        short = decode_batch(jobs, SIZE)
        with monkeypatch.context() as patch:
            patch.setattr(module, "plain_header", lambda *_: None)
            return short, decode_batch(jobs, SIZE)

    return decode


@pytest.mark.parametrize("count", [1, 2, 128])
@pytest.mark.parametrize("options", [{}, {"quality": 10}, {"quality": 100}, {"comment": b"by hand"}])
def test_plain_jpegs_are_decoded_together_to_the_pixels_of_each_alone(
    count: int, options: dict[str, Any]
) -> None:
    contents = [jpeg(noise(seed), **options) for seed in range(count)]
    headers = {plain_header(content, SIZE) for content in contents}
    assert len(headers) == 1
    assert None not in headers
    assert decode_together(contents, SIZE) == b"".join(map(alone, contents))


@pytest.mark.parametrize(
    "content",
    [
        jpeg(noise(0), mode="RGB"),
        jpeg(noise(0), mode="CMYK"),
        jpeg(noise(0), progressive=True),
        jpeg(noise(0), restart_marker_blocks=2),
        jpeg(noise(0, SIZE + 1)),
        jpeg(noise(0, SIZE, SIZE - 1)),
        with_orientation(),
        jpeg(noise(0)) + b"\0",
        jpeg(noise(0))[:-2],
        jpeg(noise(0))[:-40] + b"\xff\xd9\xff\xd9",
        jpeg(noise(0))[:100],
        jpeg(noise(0))[:100] + b"\xff\xd9",
        b"\xff\xd8\xff\xd9",
        b"",
        b"text",
    ],
    ids=[
        *("colours", "ink", "progressive", "restarts", "wider", "lower", "turned", "something behind"),
        *("no end", "an end too early", "header alone", "ended header", "empty JPEG", "empty", "text"),
    ],
)
def test_whatever_is_not_plain_is_left_to_pillow(content: bytes) -> None:
    assert plain_header(content, SIZE) is None


def test_a_batch_of_all_kinds_keeps_its_order_and_gives_what_pillow_gives(both_ways: Any) -> None:
    exif = with_orientation()
    kinds = [
        *(jpeg(noise(1)), jpeg(noise(2), quality=50), jpeg(noise(3), mode="RGB"), b"", jpeg(noise(4)), exif),
        *(jpeg(noise(5), quality=50), jpeg(noise(6))[:-9], jpeg(noise(7, 30, 40)), jpeg(noise(8)), b"text"),
        *(jpeg(noise(9)), jpeg(noise(10), quality=50), jpeg(noise(11), optimize=True)),
        *(jpeg(noise(12), quality=50), jpeg(noise(13))),
    ]
    short, long = both_ways(kinds)
    assert short == long
    assert [rejection is None for rejection in short.rejections].count(False) == 3
    assert short.levels[: SIZE**2] == alone(kinds[0])


def test_a_jpeg_longer_than_what_is_read_at_first_is_whole(both_ways: Any) -> None:
    content = jpeg(noise(1), comment=b"x" * 60_000)
    assert len(content) > module._BEGINNING_BYTES
    short, long = both_ways([content])
    assert short == long
    assert short.levels == alone(content)


def test_damage_is_judged_as_pillow_judges_it_and_harms_no_neighbour(
    both_ways: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    good = jpeg(noise(1))
    generator = np.random.default_rng(2)
    contents = []
    for number in range(600):
        bad = bytearray(good)
        start = 2 if number % 3 else len(good) // 2  # in the header, or in the data
        for place in generator.integers(start, len(good), 1 + number % 4):
            bad[place] = generator.integers(0, 256)
        if number % 5 == 0:
            bad = bad[: int(generator.integers(start, len(good)))] + b"\xff\xd9"
        contents += [good, bytes(bad)]
    short, long = both_ways(contents)
    assert short.rejections == long.rejections
    assert short == long
    plain = [plain_header(content, SIZE) is not None for content in contents[1::2]]
    assert 50 < sum(plain) < 550
    assert short.rejections[::2] == [None] * 600
    assert capfd.readouterr().err == ""


def test_where_not_all_can_be_decoded_none_is() -> None:
    good = jpeg(noise(1))
    assert decode_together([good, good], SIZE) is not None
    header = plain_header(good, SIZE)
    assert header is not None
    without_tables = header.replace(b"\xff\xdb", b"\xff\xfe")  # the quantisation table is a comment now
    broken = without_tables + good[len(header) :]
    assert plain_header(broken, SIZE) == without_tables
    assert decode_together([broken, broken], SIZE) is None


def test_a_batch_of_plain_jpegs_does_not_go_through_pillow_one_by_one(
    both_ways: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [jpeg(noise(seed)) for seed in range(5)]
    expected, _ = both_ways(contents)

    def one_by_one(content: Any) -> Image.Image:
        raise AssertionError(f"{content} was decoded by itself")

    monkeypatch.setattr(module, "gray_picture", one_by_one)
    with pytest.raises(AssertionError, match="was decoded by itself"):
        both_ways(contents[:1])
    jobs: list[module.Job] = []
    monkeypatch.setattr(module, "_beginning", lambda file: contents[int(file)])
    jobs = [(str(number), None) for number in range(5)]
    assert decode_batch(jobs, SIZE) == expected
