from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferflow.data.formats.class_folders import read
from ferflow.errors import FerflowError


def folder_with(raw: Path, *names: str) -> Path:
    for name in names:
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text(name, encoding="utf-8")
    return raw


@pytest.mark.parametrize(
    ("source", "label_name", "usage"),
    [
        ("happy/1.png", "happy", None),
        ("Happiness/1.png", "Happiness", None),
        ("train/happy/1.png", "happy", "train"),
        ("Training/happy/1.png", "happy", "train"),
        ("val/sad/1.png", "sad", "val"),
        ("valid/sad/1.png", "sad", "val"),
        ("VALIDATION/sad/1.png", "sad", "val"),
        ("test/fear/1.png", "fear", "test"),
        ("Testing/fear/1.png", "fear", "test"),
        # More folders around or between them.
        ("fer2013/images/test/happy/1.png", "happy", "test"),
        ("test/faces/happy/1.png", "happy", "test"),
        ("faces/happy/1.png", "happy", None),
        # The innermost split folder counts.
        ("train/test/happy/1.png", "happy", "test"),
        ("test/archive/train/happy/1.png", "happy", "train"),
        ("archive-train/test/happy/1.png", "happy", "test"),
        ("train-images/happy/1.png", "happy", None),
        # FER-2013's official usages win over folders.
        ("train/happy/Training_10118481.jpg", "happy", "train"),
        ("train/happy/PublicTest_10118481.jpg", "happy", "val"),
        ("test/happy/PublicTest_10118481.jpg", "happy", "val"),
        ("test/happy/PrivateTest_10118481.jpg", "happy", "test"),
        ("happy/PrivateTest_10118481.jpg", "happy", "test"),
        ("train/happy/publictest_1.jpg", "happy", "train"),
        ("train/happy/Test_1.jpg", "happy", "train"),
        # A split folder is never a label's parent and its label at once.
        ("test/1.png", "test", None),
        ("1.png", "", None),
        ("train/glücklich/Straße 😀.png", "glücklich", "train"),
    ],
)
def test_label_and_usage_of_a_path(tmp_path: Path, source: str, label_name: str, usage: str | None) -> None:
    (sample,) = read(folder_with(tmp_path, source))
    assert (sample.source, sample.label_name, sample.usage) == (source, label_name, usage)
    assert sample.file.read_text(encoding="utf-8") == source


def test_every_file_is_yielded_for_nothing_is_dropped_in_silence(tmp_path: Path) -> None:
    names = ["happy/.DS_Store", "happy/1.png", "happy/Thumbs.db", "license.txt", ".hidden/2.png"]
    assert sorted(sample.source for sample in read(folder_with(tmp_path, *names))) == sorted(names)


@pytest.mark.parametrize("backwards", [False, True])
def test_the_order_is_that_of_the_names_whatever_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backwards: bool
) -> None:
    scan = os.scandir

    @contextlib.contextmanager
    def scan_in_order(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        with scan(folder) as entries:
            yield iter(sorted(entries, key=lambda entry: entry.name, reverse=backwards))

    monkeypatch.setattr(os, "scandir", scan_in_order)
    names = ["b/10.png", "b/2.png", "a/é.png", "a/z.png", "a.png", "B/1.png"]
    sources = [sample.source for sample in read(folder_with(tmp_path, *names))]
    assert sources == ["B/1.png", "a.png", "a/z.png", "a/é.png", "b/10.png", "b/2.png"]


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    folder_with(tmp_path, "happy/1.png")
    (tmp_path / "happy" / "loop").symlink_to(tmp_path)
    assert [sample.source for sample in read(tmp_path)] == ["happy/1.png", "happy/loop"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "happy" / "empty").mkdir(parents=True)
    with pytest.raises(FerflowError, match="has no files: the archive must hold one folder for each emotion"):
        list(read(tmp_path))


def test_a_missing_folder_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match="raw is missing: run `dvc repro`"):
        list(read(tmp_path / "raw"))
