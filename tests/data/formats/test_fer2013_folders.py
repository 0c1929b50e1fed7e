from __future__ import annotations

from pathlib import Path

import pytest

from ferflow.data.formats import class_folders, fer2013_folders
from ferflow.params import LayoutParams

from .building import PICTURE, raw_folder, read_all, reasons, with_files


@pytest.mark.parametrize(
    ("source", "usage"),
    [
        ("train/happy/Training_10118481.jpg", "train"),
        ("test/happy/PublicTest_10118481.jpg", "val"),
        ("test/happy/PrivateTest_10118481.jpg", "test"),
        # The name wins over the folder, or does without one.
        ("train/happy/PublicTest_10118481.jpg", "val"),
        ("happy/PrivateTest_10118481.jpg", "test"),
        ("happy/Training_.jpg", "train"),
    ],
)
def test_the_name_of_a_file_declares_its_usage(tmp_path: Path, source: str, usage: str) -> None:
    raw = raw_folder(tmp_path, source)
    assert fer2013_folders.recognises(raw, LayoutParams())
    (sample,), rejects = read_all(fer2013_folders, raw)
    assert (sample.source, sample.label_name, sample.usage) == (source, "happy", usage)
    assert sample.content == raw / source
    assert rejects == []


@pytest.mark.parametrize(
    "name", ["1.jpg", "training_1.jpg", "Test_1.jpg", "Training1.jpg", "Training", "_1.jpg"]
)
def test_a_file_without_official_usage_is_a_defect(tmp_path: Path, name: str) -> None:
    raw = raw_folder(tmp_path, "train/sad/Training_1.jpg", "train/sad/Training_2.jpg", f"train/sad/{name}")
    samples, (reject,) = read_all(fer2013_folders, raw)
    assert [sample.source for sample in samples] == ["train/sad/Training_1.jpg", "train/sad/Training_2.jpg"]
    assert (reject.source, reject.reason, reject.defect) == (
        f"train/sad/{name}",
        "no official usage in its name",
        True,
    )
    assert "Training_, PublicTest_, PrivateTest_" in reject.remedy
    assert "layout.format: class_folders" in reject.remedy


def test_everything_else_is_as_in_class_folders(tmp_path: Path) -> None:
    raw = with_files(
        tmp_path,
        {
            "happy/Training_1.jpg": PICTURE,
            "happy/.DS_Store": b"",
            "bored/Training_2.jpg": PICTURE,
            "readme.txt": b"read me",
        },
    )
    _, rejects = read_all(fer2013_folders, raw)
    assert rejects == read_all(class_folders, raw)[1]
    assert list(reasons(rejects)) == ["bored/Training_2.jpg", "happy/.DS_Store", "readme.txt"]


@pytest.mark.parametrize(
    ("names", "recognised"),
    [
        (["happy/Training_1.jpg", "happy/Training_2.jpg", "happy/3.jpg"], True),
        (["happy/Training_1.jpg", "happy/._Training_1.jpg", "happy/.DS_Store"], True),
        (["happy/1.jpg", "happy/2.jpg", "happy/Training_3.jpg"], False),
        (["happy/1.jpg"], False),
        (["bored/Training_1.jpg"], False),
        (["Training_1.jpg"], False),
        ([], False),
    ],
)
def test_it_is_recognised_where_most_files_are_so_named(
    tmp_path: Path, names: list[str], recognised: bool
) -> None:
    assert fer2013_folders.recognises(raw_folder(tmp_path, *names), LayoutParams()) is recognised
