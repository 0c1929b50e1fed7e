from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferflow.data.arrays import Images, ImageWriter, open_images
from ferflow.errors import FerflowError


def random_images(count: int, shape: tuple[int, int, int] = (4, 3, 1)) -> Images:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def write(path: Path, batches: Sequence[Images], shape: tuple[int, int, int] = (4, 3, 1)) -> Path:
    with ImageWriter(path, shape) as writer:
        for batch in batches:
            writer.append(batch)
    return path


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 40), max_size=12))
def test_many_appends_are_one_array_and_the_same_bytes_as_one_append(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("arrays")
    images = random_images(sum(sizes))
    many = write(folder / "many.npy", np.split(images, np.cumsum(sizes)))
    one = write(folder / "one.npy", [images])
    np.testing.assert_array_equal(np.load(many), images)
    assert many.read_bytes() == one.read_bytes()


@pytest.mark.parametrize("count", [9, 10, 99_999, 100_000, 123_457])
def test_the_header_has_room_for_as_many_digits_as_the_count_gets(tmp_path: Path, count: int) -> None:
    images = random_images(count, (1, 1, 1))
    opened = open_images(write(tmp_path / "images.npy", np.array_split(images, 7), (1, 1, 1)))
    assert opened.shape == (count, 1, 1, 1)
    np.testing.assert_array_equal(opened, images)


def test_a_batch_that_lies_scattered_in_memory_is_written_in_its_order(tmp_path: Path) -> None:
    images = random_images(20)
    path = write(tmp_path / "images.npy", [images[::-2], images[:, ::-1]])
    np.testing.assert_array_equal(np.load(path), np.concatenate([images[::-2], images[:, ::-1]]))


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((2, 4, 3, 1), dtype=np.float32),
        np.zeros((2, 4, 3, 1), dtype=bool),
        np.zeros((2, 3, 4, 1), dtype=np.uint8),
        np.zeros((2, 4, 3), dtype=np.uint8),
        np.zeros((4, 3, 1), dtype=np.uint8),
    ],
)
def test_a_batch_of_another_shape_or_type_is_refused_and_not_written(tmp_path: Path, batch: Images) -> None:
    images = random_images(2)
    with ImageWriter(tmp_path / "images.npy", (4, 3, 1)) as writer:
        writer.append(images)
        with pytest.raises(ValueError, match="expected uint8"):
            writer.append(batch)
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), images)


def test_images_are_opened_as_a_map_that_cannot_be_written(tmp_path: Path) -> None:
    opened = open_images(write(tmp_path / "images.npy", [random_images(3)]))
    assert isinstance(opened, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        opened[0] = 0


def test_missing_images_are_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match=r"images\.npy is missing: run `dvc repro`"):
        open_images(tmp_path / "images.npy")


def test_a_truncated_array_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "images.npy", [random_images(100)])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FerflowError, match=r"images\.npy cannot be read"):
        open_images(path)


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY", b"PK\x03\x04"])
def test_a_file_that_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images.npy").write_bytes(content)
    with pytest.raises(
        FerflowError, match=r"images\.npy cannot be read \(.*\): delete it and run `dvc repro`"
    ):
        open_images(tmp_path / "images.npy")


def test_a_pickled_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(FerflowError, match=r"images\.npy cannot be read"):
        open_images(tmp_path / "images.npy")


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((2, 4, 4, 1), dtype=np.float32), r"float32\(2, 4, 4, 1\)"),
        (np.zeros((2, 4, 4), dtype=np.uint8), r"uint8\(2, 4, 4\)"),
    ],
)
def test_an_array_of_another_kind_is_refused_with_what_it_holds(
    tmp_path: Path, array: Images, found: str
) -> None:
    np.save(tmp_path / "images.npy", array)
    with pytest.raises(FerflowError, match=rf"holds {found}, not uint8 \(N, H, W, C\)"):
        open_images(tmp_path / "images.npy")
