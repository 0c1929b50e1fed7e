from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferflow.data.formats import Reject, class_folders
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.params import LayoutParams

from .building import PICTURE, raw_folder, read_all, reasons, with_files


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
        ("eval/sad/1.png", "sad", "val"),
        ("test/fear/1.png", "fear", "test"),
        ("Testing/fear/1.png", "fear", "test"),
        ("PublicTest/fear/1.png", "fear", "val"),
        ("PrivateTest/fear/1.png", "fear", "test"),
        # More folders around, between and below them.
        ("fer2013/images/test/happy/1.png", "happy", "test"),
        ("test/faces/happy/1.png", "happy", "test"),
        ("faces/happy/1.png", "happy", None),
        ("happy/person 7/1.png", "happy", None),
        ("happy/test/1.png", "happy", "test"),
        ("happy/test/person 7/1.png", "happy", "test"),
        # The innermost emotion and the innermost split folder count.
        ("neutral/happy/1.png", "happy", None),
        ("train/test/happy/1.png", "happy", "test"),
        ("test/archive/train/happy/1.png", "happy", "train"),
        ("train/happy/test/1.png", "happy", "test"),
        ("archive-train/test/happy/1.png", "happy", "test"),
        ("train-images/happy/1.png", "happy", None),
        # Names of files say nothing here.
        ("train/happy/PublicTest_10118481.jpg", "happy", "train"),
        ("happy/sad.png", "happy", None),
        # The data set's own words.
        ("train/Glücklich/Straße 😀.png", "Glücklich", "train"),
        ("test/contempt/1.png", "contempt", "test"),
    ],
)
def test_label_and_usage_of_a_path(tmp_path: Path, source: str, label_name: str, usage: str | None) -> None:
    raw = raw_folder(tmp_path, source)
    (sample,), rejects = read_all(class_folders, raw, aliases={"glücklich": "happy"}, drop=["Contempt"])
    assert (sample.source, sample.label_name, sample.usage) == (source, label_name, usage)
    assert sample.content == raw / source
    assert sample.box is None
    assert rejects == []


def test_images_of_unknown_classes_are_defects_that_name_the_ways_out(tmp_path: Path) -> None:
    raw = raw_folder(
        tmp_path, "happy/1.png", "train/contempt/2.png", "contempt/test/3.png", "4.png", "train/5.png"
    )
    samples, rejects = read_all(class_folders, raw)
    assert [sample.source for sample in samples] == ["happy/1.png"]
    assert reasons(rejects) == {
        "4.png": "lies in no emotion's folder",
        "contempt/test/3.png": "'contempt' is not an emotion",
        "train/5.png": "lies in no emotion's folder",
        "train/contempt/2.png": "'contempt' is not an emotion",
    }
    assert all(reject.defect for reject in rejects)
    contempt = rejects[1].remedy
    assert "layout.aliases" in contempt
    assert "layout.drop" in contempt
    assert all(emotion in contempt for emotion in EMOTIONS)


@pytest.mark.parametrize("content", [b"", b"read me", b"path,label\n", b"\x00\x01", b"%PDF-1.7"])
def test_what_is_no_image_outside_of_the_emotion_folders_is_no_defect(tmp_path: Path, content: bytes) -> None:
    raw = with_files(tmp_path, {"happy/1.png": PICTURE, "notes/about.png": content})
    _, rejects = read_all(class_folders, raw)
    assert rejects == [
        Reject(
            "notes/about.png",
            "lies outside of the emotion folders and is no image",
            "nothing to do: it is left out",
            defect=False,
        )
    ]


def test_an_image_is_known_by_its_content_outside_of_the_emotion_folders(tmp_path: Path) -> None:
    _, (reject,) = read_all(class_folders, raw_folder(tmp_path, "happy/1.png", "bored/notes.txt"))
    assert (reject.reason, reject.defect) == ("'bored' is not an emotion", True)


def test_what_is_no_image_inside_of_an_emotion_folder_is_left_to_the_decoder(tmp_path: Path) -> None:
    samples, rejects = read_all(class_folders, with_files(tmp_path, {"happy/1.png": b"text"}))
    assert [sample.source for sample in samples] == ["happy/1.png"]
    assert rejects == []


@pytest.mark.parametrize(
    "name",
    [
        ".DS_Store",
        "happy/.DS_Store",
        "__MACOSX/happy/1.png",
        "__MACOSX/._happy",
        "happy/._1.png",
        "happy/Thumbs.db",
        "happy/thumbs.DB",
        "happy/ehthumbs.db",
        "train/desktop.ini",
        "happy/Icon\r",
    ],
)
def test_by_products_of_operating_systems_are_left_out_wherever_they_lie(tmp_path: Path, name: str) -> None:
    samples, rejects = read_all(class_folders, raw_folder(tmp_path, "happy/1.png", name))
    assert [sample.source for sample in samples] == ["happy/1.png"]
    assert rejects == [
        Reject(name, "by-product of an operating system", "nothing to do: it is left out", defect=False)
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".git/happy/1.png", "lies in a hidden folder"),
        ("happy/.ipynb_checkpoints/1.png", "lies in a hidden folder"),
        (".happy/2/.1.png", "lies in a hidden folder"),
        ("happy/.1.png", "is a hidden file"),
        (".gitattributes", "is a hidden file"),
    ],
)
def test_what_is_hidden_is_left_out_wherever_it_lies(tmp_path: Path, name: str, reason: str) -> None:
    raw = raw_folder(tmp_path / ".data", "happy/1.png", name)
    samples, rejects = read_all(class_folders, raw)
    assert [sample.source for sample in samples] == ["happy/1.png"]
    assert Reject(name, reason, "nothing to do: it is left out", defect=False) in rejects


def test_a_link_in_a_hidden_folder_is_no_defect(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path, "happy/1.png", ".git/config")
    (raw / ".git" / "hook").symlink_to("nowhere")
    _, rejects = read_all(class_folders, raw)
    assert reasons(rejects) == dict.fromkeys([".git/hook", ".git/config"], "lies in a hidden folder")
    assert not any(reject.defect for reject in rejects)


def test_hidden_folders_do_not_make_a_layout(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path, ".cache/happy/1.png")
    assert not class_folders.recognises(raw, LayoutParams())
    with pytest.raises(FerflowError, match=r"no folder is named after an emotion \(found: nothing\)"):
        list(class_folders.read(raw, LayoutParams()))


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
    names = ["sad/10.png", "sad/2.png", "fear/é.png", "fear/z.png", "fear.png", "Anger/1.png"]
    raw = raw_folder(tmp_path, *names)
    items = [item.source for item in class_folders.read(raw, LayoutParams())]
    assert items == ["Anger/1.png", "fear.png", "fear/z.png", "fear/é.png", "sad/10.png", "sad/2.png"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_the_same_in_either_unicode_form(tmp_path: Path, form: str) -> None:
    """macOS writes decomposed names, others composed ones."""
    names = ["glücklich/zé.png", "glücklich/zf.png", "glücklich/ze.png"]
    for name in names:
        path = tmp_path / unicodedata.normalize(form, name)  # type: ignore[arg-type]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(PICTURE)
    samples, rejects = read_all(class_folders, tmp_path, aliases={"glücklich": "happy"})
    assert [sample.source for sample in samples] == sorted(names)
    assert all(isinstance(sample.content, Path) and sample.content.is_file() for sample in samples)
    assert rejects == []


def test_two_files_whose_names_differ_in_form_only_are_not_taken_for_one(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "happy/é.png") for form in ("NFC", "NFD"))
    (sample,), (reject,) = read_all(class_folders, raw_folder(tmp_path, composed, decomposed))
    assert sample.source == reject.source == composed
    assert (reject.reason, reject.defect) == ("another file's name differs in its Unicode form only", True)


@pytest.mark.parametrize("name", ["a\nb.png", "a:b.png", 'a"b,c.png', "x" * 251 + ".png", " .png", "\\.png"])
def test_a_strange_name_is_a_name(tmp_path: Path, name: str) -> None:
    (sample,), _ = read_all(class_folders, raw_folder(tmp_path, f"happy/{name}"))
    assert sample.source == f"happy/{name}"


def test_a_strange_folder_is_shown_on_one_short_line(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path, "happy/1.png", "bo\nred/1.png", f"{'x' * 200}/1.png")
    _, rejects = read_all(class_folders, raw)
    assert [reject.reason for reject in rejects] == [
        r"'bo\nred' is not an emotion",
        f"'{'x' * 59}…' is not an emotion",
    ]


def test_a_name_that_is_not_unicode_is_read_and_told(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path, os.fsdecode(b"happy/\xe9.png"), os.fsdecode(b"ennui\xe9/1.png"))
    (sample,), (reject,) = read_all(class_folders, raw)
    assert sample.source == r"happy/\xe9.png"
    assert isinstance(sample.content, Path)
    assert sample.content.read_bytes() == PICTURE
    assert reject.reason == r"'ennui\xe9' is not an emotion"


def test_links_to_folders_are_not_followed_and_pipes_not_opened(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path, "happy/1.png")
    (raw / "happy" / "loop").symlink_to(raw)
    (raw / "happy" / "dangling.png").symlink_to(raw / "nowhere.png")
    (raw / "happy" / "link.png").symlink_to(raw / "happy" / "1.png")
    os.mkfifo(raw / "happy" / "pipe.png")
    samples, rejects = read_all(class_folders, raw)
    assert [sample.source for sample in samples] == ["happy/1.png", "happy/link.png"]
    assert [reject.source for reject in rejects] == ["happy/dangling.png", "happy/loop", "happy/pipe.png"]
    assert {(reject.reason, reject.defect) for reject in rejects} == {
        ("neither a file nor a folder (a link or the like)", True)
    }


def test_a_deep_folder_is_read(tmp_path: Path) -> None:
    source = f"{'d/' * 300}happy/1.png"
    (sample,), _ = read_all(class_folders, raw_folder(tmp_path, source))
    assert sample.source == source


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "happy" / "empty").mkdir(parents=True)
    with pytest.raises(
        FerflowError, match="has no files: the data set must hold one folder for each emotion"
    ):
        list(class_folders.read(tmp_path, LayoutParams()))


def test_a_folder_without_any_emotion_is_refused_with_what_it_has(tmp_path: Path) -> None:
    raw = raw_folder(
        tmp_path, "train/felicidad/1.png", "train/ira/1.png", "test/ira/1.png", "__MACOSX/happy/1"
    )
    with pytest.raises(FerflowError, match=r"\(found: 'ira', 'felicidad'\).*layout\.aliases.*layout\.drop"):
        list(class_folders.read(raw, LayoutParams()))


def test_a_missing_folder_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match="raw is missing: run `dvc repro`"):
        list(class_folders.read(tmp_path / "raw", LayoutParams()))


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_folder(tmp_path, "happy/1.png", "sad/1.png")
    scan = os.scandir

    def refuse(folder: Path) -> Iterator[os.DirEntry[str]]:
        if folder.name == "sad":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(FerflowError, match=r"sad cannot be listed \(Permission denied\)"):
        list(class_folders.read(raw, LayoutParams()))
    assert not class_folders.recognises(raw, LayoutParams())
