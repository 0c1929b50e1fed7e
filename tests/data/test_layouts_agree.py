"""The same images through different layouts are the same data set."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ferflow.data.formats.detect import find_reader
from ferflow.data.ingest import ingest
from ferflow.data.splits import assign_splits
from ferflow.data.synthetic.archive import FOLDERS, Sample, even_counts, generate
from ferflow.labels import EMOTIONS
from ferflow.params import LayoutParams

SIZE = 48


@pytest.fixture(scope="module")
def drawn() -> list[Sample]:
    """Faces in the order of their names in FER-2013's folders, one in three with a copy in another split."""
    samples = list(generate(even_counts(3), seed=3))
    train = [sample for sample in samples if sample.usage == "Training"]
    held_out = [sample for sample in samples if sample.usage != "Training"]
    for number, sample in enumerate(held_out[::3]):
        sample.pixels[:] = train[number].pixels
    return sorted(samples, key=lambda sample: sample.path)


def as_folders(raw: Path, drawn: list[Sample]) -> None:
    for sample in drawn:
        file = raw / sample.path
        file.parent.mkdir(parents=True, exist_ok=True)
        # The name of a JPEG, so that it sorts as in FER-2013; the content without loss.
        Image.fromarray(sample.pixels).save(file, format="PNG")


def as_csv(raw: Path, drawn: list[Sample]) -> None:
    raw.mkdir()
    with (raw / "fer2013.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["emotion", "pixels", "Usage"])
        for sample in drawn:
            pixels = " ".join(map(str, sample.pixels.reshape(-1)))
            writer.writerow([EMOTIONS.index(sample.emotion), pixels, sample.usage])


def as_table(raw: Path, drawn: list[Sample]) -> None:
    as_folders(raw / "images", drawn)
    rows = [(f"images/{sample.path}", sample.emotion.upper(), sample.usage) for sample in drawn]
    pd.DataFrame(rows, columns=["image", "emotion", "usage"]).to_csv(raw / "list.csv", index=False)


def bring_in(raw: Path, folder: Path) -> tuple[str, bytes, pd.DataFrame]:
    """Return the layout's name, the bytes of images.npy, and what else has to agree for every sample."""
    folder.mkdir()
    name, reader = find_reader(raw, LayoutParams())
    samples_file = folder / "samples.parquet"
    ingest(
        reader.read(raw, LayoutParams()),
        LayoutParams().label_names,
        SIZE,
        images=folder / "images.npy",
        samples=samples_file,
        rejects=folder / "rejects.csv",
    )
    assert (folder / "rejects.csv").read_text().count("\n") == 1
    samples = pd.read_parquet(samples_file)
    splits = assign_splits(samples, duplicates="clean", val_fraction=0.1, test_fraction=0.1, seed=0)
    table = samples.drop(columns=["sample_id", "source"]).join(splits[["split", "reason"]])
    return name, (folder / "images.npy").read_bytes(), table


def test_folders_csv_and_table_give_the_same_rows_labels_and_splits(
    tmp_path: Path, drawn: list[Sample]
) -> None:
    layouts = {"fer2013_folders": as_folders, "fer2013_csv": as_csv, "table": as_table}
    results = {}
    for expected, build in layouts.items():
        build(tmp_path / expected, drawn)
        name, images, table = bring_in(tmp_path / expected, tmp_path / f"{expected}-out")
        assert name == expected
        results[name] = (images, table)
    images, table = results["fer2013_folders"]
    for other_images, other_table in results.values():
        assert other_images == images
        pd.testing.assert_frame_equal(other_table, table)
    stored = np.load(tmp_path / "fer2013_csv-out" / "images.npy")
    for sample, row in zip(drawn, stored, strict=True):
        np.testing.assert_array_equal(row[:, :, 0], sample.pixels)
    assert list(table["label"]) == [sample.emotion for sample in drawn]
    assert table["reason"].notna().sum() > 5
    assert set(FOLDERS) == {sample.usage for sample in drawn}
