from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from ferflow.data import ingest as module
from ferflow.data.arrays import Images
from ferflow.data.formats import RawSample, class_folders
from ferflow.data.ingest import REJECT_COLUMNS, SAMPLE_COLUMNS, ingest
from ferflow.errors import FerflowError
from ferflow.files import read_table, write_csv, write_parquet

SIZE = 16
Content = npt.NDArray[np.uint8] | bytes


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 3)


def face(seed: int, width: int = SIZE, height: int = SIZE) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def raw_folder(raw: Path, content: dict[str, Content]) -> Path:
    for name, data in content.items():
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, bytes):
            path.write_bytes(data)
        else:
            Image.fromarray(data).save(path, format="PNG")
    return raw


def run(samples: Iterable[RawSample], folder: Path) -> tuple[Images, pd.DataFrame, pd.DataFrame]:
    table, rejects = ingest(samples, SIZE, folder / "images.npy")
    return np.load(folder / "images.npy"), table, rejects


MIXED: dict[str, Content] = {
    "train/happy/a.png": face(1),
    "train/happy/b.png": b"text",
    "train/joy/c.png": face(2),
    "train/sad/.DS_Store": b"\0\1",
    "train/sad/d.png": face(3),
    "train/sad/e.png": b"",
    "train/sad/f.png": face(4),
    "test/contempt/g.png": face(5),
    "test/fear/h.png": face(6),
    "test/fear/i.png": face(7),
    "test/fear/j.png": face(8),
    "readme.txt": b"read me",
}
USABLE = {
    name: data for name, data in MIXED.items() if not isinstance(data, bytes) and "contempt" not in name
}


def test_row_i_describes_image_i_across_batches_and_rejects(tmp_path: Path) -> None:
    images, table, _ = run(class_folders.read(raw_folder(tmp_path / "raw", MIXED)), tmp_path)
    assert images.shape == (len(USABLE), SIZE, SIZE, 1)
    assert list(table["source"]) == sorted(USABLE)
    for row, pixels in zip(table.itertuples(), images, strict=True):
        expected = USABLE[str(row.source)]
        np.testing.assert_array_equal(pixels[:, :, 0], expected)
        assert row.sha256 == hashlib.sha256(pixels.tobytes()).hexdigest()
        assert row.sample_id == hashlib.sha256(str(row.source).encode()).hexdigest()[:16]
        assert row.mean == pytest.approx(pixels.mean(), rel=1e-6)
        assert row.std == pytest.approx(pixels.std(), rel=1e-6)


def test_labels_are_emotions_and_usages_those_of_the_folders(tmp_path: Path) -> None:
    _, table, _ = run(class_folders.read(raw_folder(tmp_path / "raw", MIXED)), tmp_path)
    found = table.set_index("source")[["label", "usage"]].agg(" ".join, axis=1).to_dict()
    assert found == {
        "test/fear/h.png": "fear test",
        "test/fear/i.png": "fear test",
        "test/fear/j.png": "fear test",
        "train/happy/a.png": "happy train",
        "train/joy/c.png": "happy train",
        "train/sad/d.png": "sad train",
        "train/sad/f.png": "sad train",
    }


def test_every_file_that_is_no_sample_is_a_reject_with_its_reason(tmp_path: Path) -> None:
    _, _, rejects = run(class_folders.read(raw_folder(tmp_path / "raw", MIXED)), tmp_path)
    assert list(rejects.columns) == list(REJECT_COLUMNS)
    assert dict(zip(rejects["source"], rejects["reason"], strict=True)) == {
        "readme.txt": "'' is not an emotion",
        "test/contempt/g.png": "'contempt' is not an emotion",
        "train/happy/b.png": "not an image",
        "train/sad/.DS_Store": "not an image",
        "train/sad/e.png": "empty file",
    }
    assert rejects["remedy"].str.len().min() > 0


def test_original_sizes_are_kept_in_the_table(tmp_path: Path) -> None:
    raw = raw_folder(
        tmp_path / "raw", {"happy/wide.png": face(1, 40, 30), "happy/large.png": face(2, 99, 101)}
    )
    images, table, _ = run(class_folders.read(raw), tmp_path)
    assert images.shape == (2, SIZE, SIZE, 1)
    assert table[["width", "height"]].to_numpy().tolist() == [[99, 101], [40, 30]]


@pytest.mark.parametrize("declared", [True, False])
def test_columns_and_types_are_the_contract_also_where_no_split_is_declared(
    tmp_path: Path, declared: bool
) -> None:
    prefix = "train/" if declared else ""
    raw = raw_folder(tmp_path / "raw", {f"{prefix}happy/1.png": face(1)})
    _, table, rejects = run(class_folders.read(raw), tmp_path)
    write_parquet(tmp_path / "samples.parquet", table)
    write_csv(tmp_path / "rejects.csv", rejects)
    for samples in (table, read_table(tmp_path / "samples.parquet")):
        assert tuple(samples.columns) == SAMPLE_COLUMNS
        types = samples.dtypes.astype(str).to_dict()
        assert {types.pop(name) for name in ("width", "height")} == {"int32"}
        assert {types.pop(name) for name in ("mean", "std")} == {"float32"}
        assert set(types.values()) == {"str"}
        assert samples["usage"].notna().all() == declared
    assert tuple(read_table(tmp_path / "rejects.csv").columns) == REJECT_COLUMNS


def test_a_second_run_gives_the_same_bytes(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw", MIXED)
    outputs = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        _, table, rejects = run(class_folders.read(raw), folder)
        write_parquet(folder / "samples.parquet", table)
        write_csv(folder / "rejects.csv", rejects)
        outputs.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert outputs[0] == outputs[1]


def test_a_sample_keeps_its_id_when_other_files_come_and_go(tmp_path: Path) -> None:
    few = raw_folder(tmp_path / "few", {"happy/b.png": face(1), "sad/a.png": face(2)})
    many = raw_folder(
        tmp_path / "many", {"happy/a.png": face(3), "happy/b.png": face(1), "sad/b.png": face(2)}
    )
    _, before, _ = run(class_folders.read(few), tmp_path)
    _, after, _ = run(class_folders.read(many), tmp_path)
    merged = before.merge(after, on="source")
    assert list(merged["source"]) == ["happy/b.png"]
    assert list(merged["sample_id_x"]) == list(merged["sample_id_y"])
    assert after["sample_id"].is_unique


def test_nothing_usable_is_an_error_that_names_the_first_file(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw", {f"happy/{name}.png": b"text" for name in "abcde"})
    with pytest.raises(FerflowError, match=r"none of 5 files .*; the first: happy/a\.png: not an image"):
        run(class_folders.read(raw), tmp_path)


def test_no_samples_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match="none of 0 files"):
        run([], tmp_path)


def test_a_batch_of_rejects_alone_is_passed_over(tmp_path: Path) -> None:
    content: dict[str, Content] = {f"happy/{name}.png": b"text" for name in "bcdefg"}
    raw = raw_folder(tmp_path / "raw", {**content, "happy/h.png": face(1), "happy/a.png": face(2)})
    images, table, rejects = run(class_folders.read(raw), tmp_path)
    assert list(table["source"]) == ["happy/a.png", "happy/h.png"]
    assert list(rejects["source"]) == sorted(content)
    np.testing.assert_array_equal(images[:, :, :, 0], [face(2), face(1)])


def test_images_of_which_pillow_warns_are_judged_alike_in_all_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between once and twice the limit, Pillow only warns; what becomes of a warning is global to all threads.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    monkeypatch.setattr("ferflow.data.decode._MAX_PIXELS", 300)
    small = {f"happy/small{number}.png": face(number) for number in range(20)}
    large = {f"happy/large{number}.png": face(number, 20, 20) for number in range(20)}
    raw = raw_folder(tmp_path / "raw", {**small, **large})
    palette = Image.fromarray(face(0)).convert("P")
    palette.save(raw / "happy" / "transparent.png", transparency=bytes(range(256)))
    filters = list(warnings.filters)
    _, table, rejects = run(class_folders.read(raw), tmp_path)
    assert set(table["source"]) == {*small, "happy/transparent.png"}
    assert set(rejects["source"]) == set(large)
    assert set(rejects["reason"]) == {"too many pixels"}
    assert warnings.filters == filters
