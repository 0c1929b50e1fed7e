from __future__ import annotations

import os
import tempfile
import tracemalloc
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferflow.data.formats import Box, RawSample, Reject, expw, listed_files
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.params import LayoutParams

from .building import PICTURE, raw_folder, read_all, reasons, with_files

GOOD = "a.jpg 0 28 113 226 141 22.9362 3"


def expw_folder(raw: Path, *lines: str, images: tuple[str, ...] = ("a.jpg", "b.jpg")) -> Path:
    raw_folder(raw, *(f"image/origin/{name}" for name in images))
    return with_files(raw, {"label/label.lst": "".join(f"{line}\n" for line in lines)})


def test_every_line_is_a_face_of_its_image(tmp_path: Path) -> None:
    raw = expw_folder(
        tmp_path,
        GOOD,
        "a.jpg 1 1 2 30 40 -0.5 0",
        "b.jpg 0 -5 -6 7 8 1e2 6",
        "  my face.jpg\t0  1 2 3 4 5   5 ",
        images=("a.jpg", "b.jpg", "my face.jpg"),
    )
    assert expw.recognises(raw, LayoutParams())
    samples, rejects = read_all(expw, raw)
    assert rejects == []
    origin = raw / "image" / "origin"
    assert samples == [
        RawSample("a.jpg#0", "happy", None, origin / "a.jpg", Box(left=113, top=28, right=226, bottom=141)),
        RawSample("a.jpg#1", "angry", None, origin / "a.jpg", Box(left=2, top=1, right=30, bottom=40)),
        RawSample("b.jpg#0", "neutral", None, origin / "b.jpg", Box(left=-6, top=-5, right=7, bottom=8)),
        RawSample("my face.jpg#0", "surprise", None, origin / "my face.jpg", Box(2, 1, 3, 4)),
    ]


def test_labels_are_numbered_as_in_fer2013(tmp_path: Path) -> None:
    raw = expw_folder(tmp_path, *(f"a.jpg {label} 1 2 3 4 5 {label}" for label in range(7)))
    assert [sample.label_name for sample in read_all(expw, raw)[0]] == list(EMOTIONS)


@pytest.mark.parametrize("folder", ["", "origin/", "image/origin/", "ExpW/data/image/origin/", "é/"])
def test_the_image_folder_may_lie_anywhere(tmp_path: Path, folder: str) -> None:
    folder = unicodedata.normalize("NFD", folder)
    raw = raw_folder(tmp_path, f"{folder}a.jpg", "__MACOSX/a.jpg")
    with_files(raw, {"ExpW/Label.LST": f"{GOOD}\n", ".DS_Store": b"", "__MACOSX/label.lst": "x"})
    (sample,), _ = read_all(expw, raw)
    assert sample.content == raw / f"{folder}a.jpg"


def test_the_image_folder_is_the_one_with_most_of_the_images(tmp_path: Path) -> None:
    raw = expw_folder(tmp_path, GOOD, "b.jpg 0 1 2 3 4 5 0")
    raw_folder(raw, "examples/a.jpg", "zoo/a.jpg")
    samples, _ = read_all(expw, raw)
    assert [sample.content for sample in samples] == [raw / "image/origin/a.jpg", raw / "image/origin/b.jpg"]


def test_images_in_folders_of_their_own_are_found(tmp_path: Path) -> None:
    raw = expw_folder(
        tmp_path, "x/a.jpg 0 1 2 3 4 5 0", r"y\a.jpg 0 1 2 3 4 5 0", images=("x/a.jpg", "y/a.jpg")
    )
    samples, _ = read_all(expw, raw)
    assert [(sample.source, sample.content) for sample in samples] == [
        ("x/a.jpg#0", raw / "image/origin/x/a.jpg"),
        ("y/a.jpg#0", raw / "image/origin/y/a.jpg"),
    ]


def test_faces_below_the_minimum_confidence_are_left_out_on_purpose(tmp_path: Path) -> None:
    lines = ["a.jpg 0 1 2 3 4 19.9 0", "a.jpg 1 1 2 3 4 20 0", "b.jpg 0 1 2 3 4 -1 0", "b.jpg 1 1 2 3 4 90 0"]
    raw = expw_folder(tmp_path, *lines)
    samples, rejects = read_all(expw, raw, format="expw", min_box_confidence=20)
    assert [sample.source for sample in samples] == ["a.jpg#1", "b.jpg#1"]
    reason = "box confidence below 20 (layout.min_box_confidence)"
    assert reasons(rejects) == {"a.jpg#0": reason, "b.jpg#0": reason}
    assert not any(reject.defect for reject in rejects)
    assert len(read_all(expw, raw)[0]) == 4


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a.jpg 0 28 113 226 141 22.9", "7 fields instead of 8"),
        ("x", "1 fields instead of 8"),
        ("0 28 113 226 141 22.9 3", "7 fields instead of 8"),
        ("a.jpg 0 28 113 226 141 22.9 7", "emotion '7' is none of 0 to 6"),
        ("a.jpg 0 28 113 226 141 22.9 happy", "emotion 'happy' is none of 0 to 6"),
        ("a.jpg 0 28 113 226 141 high 3", "'high' is no number"),
        ("a.jpg 0 28 113 226 141 nan 3", "'nan' is no number"),
        ("a.jpg x 28 113 226 141 22.9 3", "'x' is no whole number"),
        ("a.jpg 0 28.5 113 226 141 22.9 3", "'28.5' is no whole number"),
        ("a.jpg 0 28 1_1 226 141 22.9 3", "'1_1' is no whole number"),
        (f"a.jpg 0 28 113 226 {'9' * 5000} 22.9 3", f"'{'9' * 59}…' is no whole number"),
        ("a.jpg 0 28 226 113 141 22.9 3", "its box is empty or reversed"),
        ("a.jpg 0 141 113 226 28 22.9 3", "its box is empty or reversed"),
        ("a.jpg 0 28 113 113 141 22.9 3", "its box is empty or reversed"),
        ("a.jpg 0 28 113 226 28 22.9 3", "its box is empty or reversed"),
        ("../a.jpg 0 28 113 226 141 22.9 3", "image '../a.jpg' lies outside of the image folder"),
        ("/etc/passwd 0 28 113 226 141 22.9 3", "image '/etc/passwd' lies outside of the image folder"),
        (r"C:\a.jpg 0 28 113 226 141 22.9 3", r"image 'C:\a.jpg' lies outside of the image folder"),
    ],
)
def test_a_malformed_line_is_a_reject_and_shifts_no_other(tmp_path: Path, line: str, reason: str) -> None:
    raw = expw_folder(tmp_path, GOOD, "", line, "  ", "b.jpg 0 1 2 3 4 5 0")
    samples, (reject,) = read_all(expw, raw)
    assert (reject.source, reject.reason, reject.defect) == ("label/label.lst:3", reason, True)
    assert [sample.source for sample in samples] == ["a.jpg#0", "b.jpg#0"]


@pytest.mark.parametrize("name", ["c.jpg", "x" * 300 + ".jpg", "c\0.jpg", "a.jpg/c.jpg", "."])
def test_a_missing_image_is_a_defect_of_each_of_its_faces(tmp_path: Path, name: str) -> None:
    raw = expw_folder(tmp_path, GOOD, f"{name} 0 1 2 3 4 5 0", f"{name} 1 1 2 3 4 5 0", "b.jpg 0 1 2 3 4 5 0")
    samples, rejects = read_all(expw, raw)
    assert reasons(rejects) == {f"{name}#{face}": "its image is missing" for face in (0, 1)}
    assert all(reject.defect for reject in rejects)
    assert [sample.source for sample in samples] == ["a.jpg#0", "b.jpg#0"]


def test_faces_of_an_image_in_several_places_of_the_list_are_all_kept(tmp_path: Path) -> None:
    raw = expw_folder(tmp_path, GOOD, "b.jpg 0 1 2 3 4 5 0", "a.jpg 1 1 2 3 4 5 0")
    samples, _ = read_all(expw, raw)
    assert [sample.source for sample in samples] == ["a.jpg#0", "b.jpg#0", "a.jpg#1"]
    assert [sample.content for sample in samples[::2]] == [raw / "image/origin/a.jpg"] * 2


def test_a_repeated_line_is_left_out_and_a_repeated_id_is_another_face(tmp_path: Path) -> None:
    lines = (GOOD, GOOD, GOOD.replace(" 28 ", " 29 "), f"  {GOOD}", GOOD[:-1] + "4")
    raw = expw_folder(tmp_path, *lines, images=("a.jpg",))
    samples, rejects = read_all(expw, raw)
    assert [(sample.source, sample.label_name) for sample in samples] == [
        ("a.jpg#0", "happy"),
        ("a.jpg#0:3", "happy"),
        ("a.jpg#0:5", "sad"),
    ]
    assert reasons(rejects) == dict.fromkeys(
        ["label/label.lst:2", "label/label.lst:4"], "repeats an earlier line"
    )
    assert not any(reject.defect for reject in rejects)


def test_names_are_found_in_either_unicode_form(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    raw = expw_folder(
        tmp_path,
        f"{composed}1.jpg 0 1 2 3 4 5 0",
        f"{decomposed}2.jpg 0 1 2 3 4 5 0",
        images=(f"{decomposed}1.jpg", f"{composed}2.jpg"),
    )
    samples, rejects = read_all(expw, raw)
    assert rejects == []
    assert [sample.source for sample in samples] == [f"{composed}1.jpg#0", f"{composed}2.jpg#0"]


def test_images_that_were_not_unpacked_are_an_error_that_says_so(tmp_path: Path) -> None:
    raw = with_files(
        tmp_path, {"label/label.lst": f"{GOOD}\n", "image/origin.7z.001": b"7z", "b.jpg": PICTURE}
    )
    with pytest.raises(FerflowError, match=r"none of the images .* \(e\.g\. 'a\.jpg'\): unpack .*origin\.7z"):
        list(expw.read(raw, LayoutParams()))


def test_two_lists_are_an_error(tmp_path: Path) -> None:
    raw = with_files(expw_folder(tmp_path, GOOD), {"label.lst": f"{GOOD}\n"})
    with pytest.raises(FerflowError, match=r"2 files label\.lst \('label\.lst', 'label/label\.lst'\)"):
        list(expw.read(raw, LayoutParams()))


def test_no_list_is_an_error(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path, "origin/a.jpg", "not_label.lst")
    assert not expw.recognises(raw, LayoutParams())
    with pytest.raises(FerflowError, match=r"has no file label\.lst"):
        list(expw.read(raw, LayoutParams()))


def test_an_empty_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match=r"label\.lst has no lines"):
        list(expw.read(expw_folder(tmp_path, "", " "), LayoutParams()))


def test_images_are_found_in_the_listing_without_asking_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = expw_folder(tmp_path, *(f"a.jpg {face} 1 2 3 4 5 0" for face in range(50)))
    looked_for: list[str] = []
    monkeypatch.setattr(listed_files, "find_file", lambda _, name: looked_for.append(name))
    assert len(read_all(expw, raw)[0]) == 50
    assert looked_for == []


def test_files_that_no_line_names_are_left_out_with_a_reason(tmp_path: Path) -> None:
    raw = expw_folder(tmp_path, "a.jpg 0 1 2 3 4 19 0", images=("a.jpg", "b.jpg"))
    with_files(raw_folder(raw, "sorted/happy/1.jpg", ".git/c.jpg"), {"image/.DS_Store": b"", "readme": b""})
    _, (_, *rejects) = read_all(expw, raw, format="expw", min_box_confidence=20)
    unnamed = "no usable row of label/label.lst names it"
    assert reasons(rejects) == {
        ".git/c.jpg": "lies in a hidden folder",
        "image/.DS_Store": "by-product of an operating system",
        "image/origin/b.jpg": unnamed,
        "readme": unnamed,
        "sorted/happy/1.jpg": unnamed,
    }
    assert not any(reject.defect for reject in rejects)


def test_a_list_in_a_hidden_folder_is_no_list(tmp_path: Path) -> None:
    raw = with_files(expw_folder(tmp_path, GOOD), {".ipynb_checkpoints/label.lst": f"{GOOD}\n"})
    assert [sample.source for sample in read_all(expw, raw)[0]] == ["a.jpg#0"]


def test_memory_grows_by_no_more_than_names(tmp_path: Path) -> None:
    raw = expw_folder(tmp_path, *(f"a.jpg {face} 1 2 3 4 5 0" for face in range(20_000)), images=("a.jpg",))
    tracemalloc.start()
    count = sum(1 for _ in expw.read(raw, LayoutParams()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 20_000 * 250


IMAGES = ("a.jpg", "b.jpg", "my face.jpg")
faces = st.tuples(
    st.sampled_from(IMAGES),
    st.integers(0, 3),
    st.integers(-5, 50),
    st.integers(-5, 50),
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(0, 100),
    st.integers(0, 6),
)


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(
        st.one_of(faces, st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)),
        max_size=12,
    ),
    least=st.one_of(st.none(), st.floats(0, 100)),
)
def test_whatever_lines_are_written_each_is_a_face_or_a_reject(
    lines: list[tuple[str, int, int, int, int, int, float, int] | str], least: float | None
) -> None:
    texts = [GOOD]
    for line in lines:
        if isinstance(line, str):
            texts.append(line)
        else:
            image, face, top, left, width, height, confidence, label = line
            texts.append(f"{image} {face} {top} {left} {left + width} {top + height} {confidence!r} {label}")
    with tempfile.TemporaryDirectory() as folder:
        raw = expw_folder(Path(folder), *texts, images=IMAGES)
        first, *items = expw.read(raw, LayoutParams(format="expw", min_box_confidence=least))
    assert first.source == "a.jpg#0"
    unnamed = {f"image/origin/{image}" for image in IMAGES}
    unnamed -= {f"image/origin/{line[0]}" for line in [("a.jpg",), *lines] if not isinstance(line, str)}
    assert {item.source for item in items[len(items) - len(unnamed) :]} == unnamed
    del items[len(items) - len(unnamed) :]
    written = [line for line in lines if not isinstance(line, str) or line.strip()]
    assert len(items) == len(written)
    for line, item in zip(written, items, strict=True):
        if isinstance(line, str):
            assert isinstance(item, Reject)
            continue
        image, face, top, left, width, height, confidence, label = line
        if isinstance(item, RawSample):
            assert item.source.split(":")[0] == f"{image}#{face}"
            assert item.box == Box(left, top, left + width, top + height)
            assert item.label_name == EMOTIONS[label]
            assert least is None or confidence >= least
        else:
            assert not item.defect
            assert item.reason == "repeats an earlier line" or (least is not None and confidence < least)
    sources = [item.source for item in items if isinstance(item, RawSample)]
    assert len(set(sources)) == len(sources)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=80))
def test_arbitrary_bytes_raise_nothing_but_an_error_for_people(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = with_files(Path(folder), {"label.lst": content, "a.jpg": PICTURE})
        assert expw.recognises(raw, LayoutParams())
        try:
            items = list(expw.read(raw, LayoutParams()))
        except FerflowError:
            return
    assert items


def test_a_list_in_another_encoding_costs_the_names_that_are_not_utf_8(tmp_path: Path) -> None:
    raw = with_files(
        tmp_path,
        {
            os.fsdecode(b"\xe9.jpg"): PICTURE,
            "a.jpg": PICTURE,
            "label.lst": GOOD.encode() + b"\n\xe9.jpg 0 1 2 3 4 5 0\n",
        },
    )
    (sample,), rejects = read_all(expw, raw)
    assert sample.source == "a.jpg#0"
    assert reasons(rejects) == {
        "\ufffd.jpg#0": "its image is missing",
        r"\xe9.jpg": "no usable row of label.lst names it",
    }
