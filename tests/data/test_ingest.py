from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from ferflow.data import decode_batch, decode_processes
from ferflow.data import ingest as module
from ferflow.data.arrays import Images
from ferflow.data.decode import gray_picture
from ferflow.data.formats import Box, RawSample, Reject
from ferflow.data.ingest import REJECT_COLUMNS, SAMPLE_COLUMNS, Ingested, ingest
from ferflow.errors import FerflowError
from ferflow.files import read_table
from ferflow.labels import EMOTIONS, LabelNames

SIZE = 16
Content = npt.NDArray[np.uint8] | bytes


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 3)
    monkeypatch.setattr(decode_processes, "available_cores", lambda: 1)


def face(seed: int, width: int = SIZE, height: int = SIZE) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def raw_samples(raw: Path, content: dict[str, Content]) -> list[RawSample]:
    """Write files named <usage or nothing>/<class>/<name>, and return them as samples in this order."""
    samples = []
    for name, data in content.items():
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, bytes):
            path.write_bytes(data)
        else:
            Image.fromarray(data).save(path, format="PNG")
        *usage, label_name, _ = name.split("/")
        samples.append(RawSample(name, label_name, usage[0] if usage else None, path))
    return samples


def run(
    items: Iterable[RawSample | Reject], folder: Path, labels: LabelNames | None = None
) -> tuple[Images, pd.DataFrame, pd.DataFrame]:
    folder.mkdir(exist_ok=True)
    images, samples, rejects = (folder / name for name in ("images.npy", "samples.parquet", "rejects.csv"))
    found = ingest(items, labels or LabelNames(), SIZE, images=images, samples=samples, rejects=rejects)
    array, table, refused = (
        np.load(images),
        read_table(samples),
        read_table(rejects, words=["source", "reason", "remedy"]),
    )
    defects = int(refused["defect"].sum())
    assert found == Ingested(len(table), defects, len(refused) - defects)
    assert array.shape == (len(table), SIZE, SIZE, 1)
    return array, table, refused


MIXED: dict[str, Content] = {
    "test/contempt/g.png": face(5),
    "test/fear/h.png": face(6),
    "test/fear/i.png": face(7),
    "test/fear/j.png": face(8),
    "train/happy/a.png": face(1),
    "train/happy/b.png": b"text",
    "train/joy/c.png": face(2),
    "train/sad/d.png": face(3),
    "train/sad/e.png": b"",
    "train/sad/f.png": face(4),
}
USABLE = {
    name: data for name, data in MIXED.items() if not isinstance(data, bytes) and "contempt" not in name
}


def test_row_i_describes_image_i_across_batches_and_rejects(tmp_path: Path) -> None:
    images, table, _ = run(raw_samples(tmp_path / "raw", MIXED), tmp_path)
    assert list(table["source"]) == list(USABLE)
    for row, pixels in zip(table.itertuples(), images, strict=True):
        expected = USABLE[str(row.source)]
        np.testing.assert_array_equal(pixels[:, :, 0], expected)
        assert row.sha256 == hashlib.sha256(pixels.tobytes()).hexdigest()
        assert row.sample_id == hashlib.sha256(str(row.source).encode()).hexdigest()[:16]
        assert row.mean == np.float32(pixels.mean())
        assert row.std == np.float32(pixels.std())


def test_mean_and_deviation_are_exact_for_the_largest_images_too() -> None:
    levels = np.full((2, 1024, 1024, 1), 255, dtype=np.uint8)
    levels[1, 0] = 0
    mean, std = module._measure(levels)
    assert mean.tolist() == [255, levels[1].mean()]
    assert std.tolist() == [0, pytest.approx(levels[1].std(), rel=1e-12)]


def test_labels_are_emotions_and_usages_those_declared(tmp_path: Path) -> None:
    _, table, _ = run(raw_samples(tmp_path / "raw", MIXED), tmp_path)
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


def test_every_item_that_is_no_sample_is_a_reject_with_its_reason_in_its_place(tmp_path: Path) -> None:
    by_product = Reject("train/Thumbs.db", "by-product of an operating system", "none", defect=False)
    unread = Reject("train/sad/x", "its line has no label", "complete it, or remove it")
    items: list[RawSample | Reject] = [unread, *raw_samples(tmp_path / "raw", MIXED), by_product]
    _, _, rejects = run(items, tmp_path)
    assert rejects.to_dict("split")["data"] == [
        ["train/sad/x", "its line has no label", "complete it, or remove it", True],
        ["test/contempt/g.png", "'contempt' is not an emotion", rejects["remedy"][1], True],
        ["train/happy/b.png", "not an image", "convert it to JPEG or PNG, or remove it", True],
        ["train/sad/e.png", "empty file", "copy it again from its source", True],
        ["train/Thumbs.db", "by-product of an operating system", "none", False],
    ]
    for words in (*EMOTIONS, "layout.aliases", "layout.drop", "params.yaml"):
        assert words in rejects["remedy"][1]


def test_the_data_sets_own_words_are_understood_and_dropped_classes_left_out(tmp_path: Path) -> None:
    samples = [
        RawSample(f"{name}{number}", name, None, face(number))
        for number, name in enumerate(["Freude", "contempt", "Contempt ", "sad"])
    ]
    labels = LabelNames({"freude": "happy"}, frozenset({"contempt"}))
    _, table, rejects = run(samples, tmp_path, labels)
    assert list(table["label"]) == ["happy", "sad"]
    assert list(rejects["reason"]) == [
        "class 'contempt' is left out (layout.drop)",
        "class 'Contempt ' is left out (layout.drop)",
    ]
    assert not rejects["defect"].any()


def test_a_source_that_comes_twice_is_a_sample_once(tmp_path: Path) -> None:
    samples = [RawSample(source, "happy", None, face(number)) for number, source in enumerate("abcdbea")]
    images, table, rejects = run(samples, tmp_path)
    assert list(table["source"]) == ["a", "b", "c", "d", "e"]
    np.testing.assert_array_equal(images[1, :, :, 0], face(1))
    assert rejects[["source", "reason", "defect"]].to_numpy().tolist() == [
        ["b", "listed twice", True],
        ["a", "listed twice", True],
    ]


def test_a_name_that_is_not_utf_8_is_a_reject_and_shown_by_its_bytes(tmp_path: Path) -> None:
    samples = [RawSample(source, "sad", None, face(1)) for source in ("caf\udce9.png", "café.png")]
    _, table, rejects = run(samples, tmp_path)
    assert list(table["source"]) == ["café.png"]
    assert rejects["source"][0] == "caf\\udce9.png"
    assert rejects["reason"][0] == "its name is not UTF-8"


def test_sources_with_commas_quotes_and_line_breaks_come_back_whole(tmp_path: Path) -> None:
    names = ['a,b "c"\nd.png', "glücklich 😀.png", "Icon\r", "NA", "007"]
    samples = [RawSample(name, "happy", None, face(1)) for name in names]
    _, table, _ = run(samples, tmp_path)
    _, _, rejects = run([*samples, *samples], tmp_path)
    assert list(table["source"]) == names
    assert list(rejects["source"]) == names


def test_original_sizes_are_kept_in_the_table(tmp_path: Path) -> None:
    content: dict[str, Content] = {"happy/large.png": face(2, 99, 101), "happy/wide.png": face(1, 40, 30)}
    _, table, _ = run(raw_samples(tmp_path / "raw", content), tmp_path)
    assert table[["width", "height"]].to_numpy().tolist() == [[99, 101], [40, 30]]


@pytest.fixture
def decoded_files(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What has been decoded, one entry each time."""
    decoded: list[Any] = []
    original = gray_picture

    def counted(content: Any) -> Any:
        decoded.append(content)
        return original(content)

    monkeypatch.setattr(decode_batch, "gray_picture", counted)
    return decoded


def test_faces_of_one_photograph_are_cut_out_and_it_is_decoded_once(
    tmp_path: Path, decoded_files: list[Any]
) -> None:
    photographs = [tmp_path / "first.png", tmp_path / "second.png"]
    for number, path in enumerate(photographs):
        Image.fromarray(face(number, 60, 40)).save(path)
    samples = [
        # Twice as many faces as a batch has images, and a new object for each path, as readers give.
        RawSample(f"{path.name}:{left}", "happy", None, Path(str(path)), Box(left, 3, left + SIZE, 3 + SIZE))
        for path in photographs
        for left in (0, 7, 14, 21, 28, 35, 99)
    ]
    images, table, rejects = run(samples, tmp_path)
    assert decoded_files == [str(path) for path in photographs]
    np.testing.assert_array_equal(images[8, :, :, 0], face(1, 60, 40)[3 : 3 + SIZE, 14 : 14 + SIZE])
    assert set(table[["width", "height"]].to_numpy().ravel()) == {SIZE}
    assert list(rejects["source"]) == ["first.png:99", "second.png:99"]


@pytest.mark.parametrize("declared", [True, False])
def test_columns_and_types_are_the_contract_also_where_no_split_is_declared(
    tmp_path: Path, declared: bool
) -> None:
    prefix = "train/" if declared else ""
    _, table, rejects = run(raw_samples(tmp_path / "raw", {f"{prefix}happy/1.png": face(1)}), tmp_path)
    assert tuple(table.columns) == SAMPLE_COLUMNS
    types = table.dtypes.astype(str).to_dict()
    assert {types.pop(name) for name in ("width", "height")} == {"int32"}
    assert {types.pop(name) for name in ("mean", "std")} == {"float32"}
    assert set(types.values()) == {"str"}
    assert table["usage"].notna().all() == declared
    assert tuple(rejects.columns) == REJECT_COLUMNS


def test_usages_that_some_samples_lack_are_null_there(tmp_path: Path) -> None:
    usages = ["train", None, "val", "test", None]
    samples = [RawSample(str(number), "sad", usage, face(number)) for number, usage in enumerate(usages)]
    _, table, _ = run(samples, tmp_path)
    assert [None if pd.isna(usage) else usage for usage in table["usage"]] == usages


def test_tables_longer_than_what_is_held_in_memory_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferflow.data.sample_tables._ROWS_HELD", 4)
    samples = [RawSample(str(number), "sad", None, face(number)) for number in range(11)]
    images, table, _ = run(samples, tmp_path)
    assert list(table["source"]) == [str(number) for number in range(11)]
    np.testing.assert_array_equal(images[10, :, :, 0], face(10))


def test_the_same_bytes_come_from_a_second_run_and_from_any_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = raw_samples(tmp_path / "raw", MIXED)
    monkeypatch.setattr(decode_processes, "_BATCHES_ALONE", 1)
    outputs: list[list[bytes]] = []
    for count in (1, 1, 2, 3):
        monkeypatch.setattr(decode_processes, "available_cores", lambda count=count: count)
        folder = tmp_path / str(len(outputs))
        run(samples, folder)
        outputs.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert all(output == outputs[0] for output in outputs)


def test_samples_are_read_as_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    original = module._columns

    def counted(kept: list[Any], *rest: Any) -> Any:
        written.append(len(kept))
        return original(kept, *rest)

    def samples() -> Iterator[RawSample]:
        for number in range(30):
            assert number <= sum(written) + 3  # no more than a batch ahead of what is written
            yield RawSample(str(number), "sad", None, face(number))

    monkeypatch.setattr(module, "_columns", counted)
    run(samples(), tmp_path)
    assert sum(written) == 30


def test_large_images_come_in_smaller_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    original = module._columns

    def counted(kept: list[Any], *rest: Any) -> Any:
        lengths.append(len(kept))
        return original(kept, *rest)

    monkeypatch.setattr(module, "_columns", counted)
    monkeypatch.setattr(module, "_BATCH_BYTES", 2 * SIZE * SIZE)
    run([RawSample(str(number), "sad", None, face(number)) for number in range(5)], tmp_path)
    assert lengths == [2, 2, 1]


def test_a_sample_keeps_its_id_when_other_files_come_and_go(tmp_path: Path) -> None:
    few = raw_samples(tmp_path / "few", {"happy/b.png": face(1), "sad/a.png": face(2)})
    many = raw_samples(
        tmp_path / "many", {"happy/a.png": face(3), "happy/b.png": face(1), "sad/b.png": face(2)}
    )
    _, before, _ = run(few, tmp_path)
    _, after, _ = run(many, tmp_path)
    merged = before.merge(after, on="source")
    assert list(merged["source"]) == ["happy/b.png"]
    assert list(merged["sample_id_x"]) == list(merged["sample_id_y"])
    assert after["sample_id"].is_unique


def test_nothing_usable_is_an_error_that_names_the_commonest_reason(tmp_path: Path) -> None:
    content: dict[str, Content] = {
        "happy/empty.png": b"",
        **{f"happy/{name}.png": b"text" for name in "abcd"},
    }
    with pytest.raises(
        FerflowError,
        match=r"^none of 5 files or rows .* \(4 times, first for happy/a\.png\): not an image; convert it",
    ):
        run(raw_samples(tmp_path / "raw", content), tmp_path)


def test_no_samples_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match="has no images: check its `source` and `layout`"):
        run([], tmp_path)


def test_a_batch_of_rejects_alone_is_passed_over(tmp_path: Path) -> None:
    content: dict[str, Content] = {f"happy/{name}.png": b"text" for name in "bcdefg"}
    content = {"happy/a.png": face(2), **content, "happy/h.png": face(1)}
    images, table, rejects = run(raw_samples(tmp_path / "raw", content), tmp_path)
    assert list(table["source"]) == ["happy/a.png", "happy/h.png"]
    assert list(rejects["source"]) == [f"happy/{name}.png" for name in "bcdefg"]
    np.testing.assert_array_equal(images[:, :, :, 0], [face(2), face(1)])


def test_images_of_which_pillow_warns_are_judged_alike_and_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between once and twice the limit, Pillow only warns.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    monkeypatch.setattr("ferflow.data.decode._MAX_PIXELS", 300)
    small = {f"happy/small{number}.png": face(number) for number in range(5)}
    large = {f"happy/large{number}.png": face(number, 20, 20) for number in range(5)}
    samples = raw_samples(tmp_path / "raw", dict(itertools.chain(large.items(), small.items())))
    palette = Image.fromarray(face(0)).convert("P")
    transparent = tmp_path / "transparent.png"
    palette.save(transparent, transparency=bytes(range(256)))
    filters = list(warnings.filters)
    _, table, rejects = run([*samples, RawSample("transparent", "sad", None, transparent)], tmp_path)
    assert list(table["source"]) == [*small, "transparent"]
    assert list(rejects["source"]) == list(large)
    assert set(rejects["reason"]) == {"too many pixels"}
    assert warnings.filters == filters
