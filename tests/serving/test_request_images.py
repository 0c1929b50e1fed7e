from __future__ import annotations

import base64
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferflow.data.decode import face, gray_picture
from ferflow.serving.request_images import Expected, RefusedError, images_of

SHAPE = (4, 4, 1)
JSON = "application/json; charset=utf-8"
GOOD = np.arange(16, dtype=np.uint8).reshape(SHAPE)


def _read(content: Any, **options: Any) -> Any:
    return images_of(json.dumps(content).encode(), JSON, Expected(SHAPE, **options))


def _with_level(level: Any) -> list[Any]:
    image = GOOD.tolist()
    image[0][0][0] = level
    return [image]


def test_levels_come_out_as_they_are() -> None:
    images = _read({"inputs": [GOOD.tolist(), (255 - GOOD).tolist()]})
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, np.stack([GOOD, 255 - GOOD]))


@pytest.mark.parametrize(
    "level", [0.5, 1.0, 300, -1, 10**30, 1e300, "12", "abc", None, float("nan"), float("inf"), {}, True]
)
def test_other_levels_are_refused_and_not_cast(level: Any) -> None:
    with pytest.raises(RefusedError, match="other levels than whole numbers from 0 to 255"):
        _read({"inputs": _with_level(level)})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.tolist(), "the one key 'inputs'"),
        (None, "the one key 'inputs'"),
        ({}, "the one key 'inputs'"),
        ({"images": [GOOD.tolist()]}, "the one key 'inputs'"),
        ({"dataframe_records": [{"a": [1] * 16}]}, "the one key 'inputs'"),
        ({"inputs": [GOOD.tolist()], "instances": []}, "the one key 'inputs'"),
        ({"inputs": [GOOD.tolist()], "params": {}}, "the one key 'inputs'"),
        ({"inputs": None}, "not a list"),
        ({"inputs": {"image": 1}}, "not a list"),
        ({"inputs": []}, "empty"),
        ({"inputs": [7]}, "image 0 is neither"),
        ({"inputs": [{"image": 1}]}, "image 0 is neither"),
        ({"inputs": GOOD.tolist()}, r"image 0 has shape \(4, 1\), not \(4, 4, 1\)"),
        ({"inputs": [[]]}, "shape"),
        ({"inputs": [np.zeros((4, 4), int).tolist()]}, "shape"),
        ({"inputs": [GOOD.tolist(), GOOD[:3].tolist()]}, r"image 1 has shape \(3, 4, 1\)"),
        ({"inputs": [[[[1]], [[1], [2]]]]}, "lists differ in length"),
        ({"inputs": [[[[1]], [[1, 2]]]]}, "lists differ in length"),
        ({"inputs": [[[[[[[[1]]]]]]]]}, "too deep"),
        # As an array of strings it would be of 16 GB.
        ({"inputs": [[["a" * 10**6, *[""] * 4000]]]}, r"shape \(1, 4001\)"),
        ({"inputs": ["hello!"]}, "not a file in base64"),
        ({"inputs": ["http://example.org/face.png"]}, "not a file in base64"),
        ({"inputs": [""]}, "empty file"),
        ({"inputs": ["aGVsbG8="]}, "cannot be used, not an image"),
    ],
)
def test_each_mistake_is_named(content: Any, words: str) -> None:
    with pytest.raises(RefusedError, match=words) as refused:
        _read(content)
    assert refused.value.status == 400
    assert len(refused.value.message) < 200


def test_too_many_images_are_refused_before_they_are_read() -> None:
    assert len(_read({"inputs": [GOOD.tolist()] * 3}, most_images=3)) == 3
    with pytest.raises(RefusedError, match="4 images in one request: send at most 3") as refused:
        _read({"inputs": [0] * 4}, most_images=3)
    assert refused.value.status == 413


@pytest.mark.parametrize("values", ["[]", "0", "[[],[]]", "{}", '""'])
def test_more_values_than_images_have_are_refused_before_they_are_read(values: str) -> None:
    body = '{"inputs":[' + f"{values}," * 5000 + "}"  # to read it would find that it is not JSON
    with pytest.raises(RefusedError, match="more values than 256 images of shape") as refused:
        images_of(body.encode(), JSON, Expected(SHAPE))
    assert refused.value.status == 413


def test_as_many_values_as_images_have_are_read() -> None:
    addresses = [f"data:image/png;base64,{base64.b64encode(_png((5, 5))).decode()}"] * 3
    for images in ([GOOD.tolist()] * 3, addresses):
        assert len(_read({"inputs": images}, most_images=3)) == 3


def _png(size: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("L", size).save(stream, "PNG")
    return stream.getvalue()


def test_files_of_too_many_pixels_are_refused_before_one_is_decoded() -> None:
    expected = Expected(SHAPE, most_pixels=100)
    # Its header tells of 11 × 10 pixels, and there is nothing to decode.
    header = _png((11, 10))[:50]
    ten = base64.b64encode(_png((6, 10))).decode()
    several = json.dumps({"inputs": ["aGVsbG8=", ten, ten]}).encode()
    for body, kind in ((header, "image/png"), (several, JSON)):
        with pytest.raises(RefusedError, match=r"more than 0\.0001 megapixels together") as refused:
            images_of(body, kind, expected)
        assert refused.value.status == 413
    assert images_of(_png((10, 10)), "image/png", expected).shape == (1, *SHAPE)


def test_files_beyond_what_pillow_opens_have_too_many_pixels() -> None:
    header = bytearray(_png((1, 1)))
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    with pytest.raises(RefusedError, match="more than 25 megapixels"):
        images_of(bytes(header), "image/png", Expected(SHAPE))


@pytest.mark.parametrize(
    "kind", ["text/csv", "", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_other_content_types_are_refused(kind: str) -> None:
    with pytest.raises(RefusedError) as refused:
        images_of(b"{}", kind, Expected(SHAPE))
    assert refused.value.status == 415


def test_a_file_becomes_what_a_training_image_became(tmp_path: Any) -> None:
    photograph = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    for kind in ("PNG", "JPEG", "WEBP"):
        stream = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(photograph).save(stream, kind, exif=exif)
        file = tmp_path / f"face.{kind}"
        file.write_bytes(stream.getvalue())
        trained_on = np.asarray(face(gray_picture(file), 4)[0])[None, ..., None]
        encoded = base64.encodebytes(stream.getvalue()).decode()
        for body, content_type in (
            (stream.getvalue(), "image/anything"),
            (json.dumps({"inputs": [encoded]}).encode(), JSON),
        ):
            np.testing.assert_array_equal(images_of(body, content_type, Expected(SHAPE)), trained_on)


def test_the_lines_in_the_manual_make_the_same_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manual = (Path(__file__).parents[2] / "docs/serving.md").read_text(encoding="utf-8")
    (lines,) = [code for code in re.findall(r"```python\n(.*?)```", manual, re.DOTALL) if "PIL" in code]
    monkeypatch.chdir(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 8
    for size in ((333, 512), (48, 48), (20, 31)):
        photograph = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(photograph).save("face.jpg", exif=exif)
        made: dict[str, Any] = {}
        exec(lines, made)  # noqa: S102 - our own manual
        ours = images_of(Path("face.jpg").read_bytes(), "image/jpeg", Expected((48, 48, 1)))
        np.testing.assert_array_equal(made["images"], ours)
