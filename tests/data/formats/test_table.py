from __future__ import annotations

import csv
import io
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferflow.data.formats import RawSample, table
from ferflow.errors import FerflowError
from ferflow.params import LayoutParams

from .building import PICTURE, raw_folder, read_all, reasons, with_files


def table_folder(raw: Path, text: str, *pictures: str, name: str = "labels.csv") -> Path:
    return with_files(raw_folder(raw, *(pictures or ("a.png", "b/c.png"))), {name: text})


def test_every_row_is_a_sample_in_its_order(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path,label,split\nb/c.png,happiness,Training\na.png,Sad,\n")
    assert table.recognises(raw, LayoutParams())
    samples, rejects = read_all(table, raw)
    assert rejects == []
    assert samples == [
        RawSample("b/c.png", "happiness", "train", raw / "b" / "c.png"),
        RawSample("a.png", "Sad", None, raw / "a.png"),
    ]


@pytest.mark.parametrize(
    ("header", "usage"),
    [
        ("path,label,split", "val"),
        ("Image Path,Emotion,Usage", "val"),
        (" file-name , Expression , subset ", "val"),
        ("pth,class,set", "val"),
        ("IMG,category,partition", "val"),
        ("filename,label,comment", None),
    ],
)
def test_columns_are_known_by_usual_names(tmp_path: Path, header: str, usage: str | None) -> None:
    raw = table_folder(tmp_path, f"{header}\na.png,happy,validation\n")
    assert table.recognises(raw, LayoutParams())
    (sample,), _ = read_all(table, raw)
    assert (sample.source, sample.label_name, sample.usage) == ("a.png", "happy", usage)


def test_columns_can_be_named(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path,where,label,what,split,part\nx,a.png,y,joy,z,test\n")
    columns = {"path": "where", "label": "what", "split": "part"}
    (sample,), _ = read_all(table, raw, format="table", columns=columns)
    assert (sample.source, sample.label_name, sample.usage) == ("a.png", "joy", "test")


def test_a_split_column_that_is_not_named_is_not_read_beside_columns_that_are(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path,label,split\na.png,joy,fold 7\n")
    (sample,), _ = read_all(table, raw, format="table", columns={"path": "path", "label": "label"})
    assert sample.usage is None


@pytest.mark.parametrize(
    ("word", "usage"),
    [
        ("train", "train"),
        ("TRAINING", "train"),
        (" val ", "val"),
        ("Valid", "val"),
        ("eval", "val"),
        ("publictest", "val"),
        ("PublicTest", "val"),
        ("PrivateTest", "test"),
        ("testing", "test"),
        ("", None),
        ("  ", None),
    ],
)
def test_words_for_splits(tmp_path: Path, word: str, usage: str | None) -> None:
    (sample,), _ = read_all(table, table_folder(tmp_path, f"path,label,split\na.png,joy,{word}\n"))
    assert sample.usage == usage


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("a.png", "a.png"),
        (" a.png ", "a.png"),
        ("./a.png", "a.png"),
        ("b/c.png", "b/c.png"),
        (r"b\c.png", "b/c.png"),
        (r".\b\.\c.png", "b/c.png"),
        ("b//c.png", "b/c.png"),
        ("b/../a.png", "a.png"),
        ('"d, ""e"".png"', 'd, "e".png'),
        ('"f\ng.png"', "f\ng.png"),
    ],
)
def test_paths_are_read_with_either_slash_and_made_plain(tmp_path: Path, path: str, source: str) -> None:
    raw = table_folder(tmp_path, f"path,label\n{path},joy\n", "a.png", "b/c.png", 'd, "e".png', "f\ng.png")
    (sample,), rejects = read_all(table, raw)
    assert rejects == []
    assert sample.source == source
    assert sample.content == raw / source


def test_paths_are_relative_to_the_table_or_else_to_the_raw_folder(tmp_path: Path) -> None:
    raw = table_folder(
        tmp_path,
        "path,label\nx.png,joy\nfaces/y.png,joy\n../faces/z.png,joy\nboth.png,joy\n",
        "lists/x.png",
        "faces/y.png",
        "faces/z.png",
        "lists/both.png",
        "both.png",
        name="lists/labels.csv",
    )
    samples, rejects = read_all(table, raw)
    assert rejects == []
    assert [sample.source for sample in samples] == [
        "lists/x.png",
        "faces/y.png",
        "faces/z.png",
        "lists/both.png",
    ]


@pytest.mark.parametrize(
    ("row", "source", "reason"),
    [
        ("../secret.png,joy,", "labels.csv:3", "path '../secret.png' leads out of the data set"),
        (r"b\..\..\secret.png,joy,", "labels.csv:3", r"path 'b\..\..\secret.png' leads out of the data set"),
        ("/etc/passwd,joy,", "labels.csv:3", "path '/etc/passwd' leads out of the data set"),
        (r"C:\faces\a.png,joy,", "labels.csv:3", r"path 'C:\faces\a.png' leads out of the data set"),
        ("missing.png,joy,", "missing.png", "its image is missing"),
        (r"b\missing.png,joy,", "b/missing.png", "its image is missing"),
        ("b,joy,", "b", "its image is missing"),
        (".,joy,", ".", "its image is missing"),
        ("x\0.png,joy,", "x\0.png", "its image is missing"),
        ("x" * 5000 + ",joy,", "x" * 5000, "its image is missing"),
        (",joy,", "labels.csv:3", "no path"),
        ("b/c.png,joy,holiday", "labels.csv:3", "split 'holiday' is unknown"),
        ("b/c.png,joy", "labels.csv:3", "2 fields instead of 3"),
        ("b/c.png,joy,train,", "labels.csv:3", "4 fields instead of 3"),
        ('"b/c.png,joy,train', "labels.csv:3", "a quote is not closed, or stands in the wrong place"),
        ("./a.png,sad,train", "labels.csv:3", "its image is listed before"),
    ],
)
def test_a_row_that_is_no_sample_is_a_defect_and_shifts_no_other(
    tmp_path: Path, row: str, source: str, reason: str
) -> None:
    with_files(tmp_path, {"secret.png": PICTURE})
    text = f"path,label,split\na.png,joy,train\n{row}\nb/d.png,fear,test\n"
    raw = table_folder(tmp_path / "raw", text, "a.png", "b/c.png", "b/d.png")
    samples, (reject,) = read_all(table, raw)
    assert (reject.source, reject.reason, reject.defect) == (source, reason, True)
    assert [(sample.source, sample.label_name, sample.usage) for sample in samples] == [
        ("a.png", "joy", "train"),
        ("b/d.png", "fear", "test"),
    ]


def test_labels_are_left_to_the_one_place_that_reads_them(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path,label\na.png, contempt \nb/c.png,\n")
    samples, rejects = read_all(table, raw, drop=["contempt"])
    assert [sample.label_name for sample in samples] == ["contempt", ""]
    assert rejects == []


def test_names_and_labels_are_the_same_in_either_unicode_form(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    text = f"path,label\n{composed}1.png,{decomposed}\n{decomposed}2.png,{composed}\n{composed}2.png,joy\n"
    raw = table_folder(tmp_path, text, f"{decomposed}1.png", f"{composed}2.png")
    samples, rejects = read_all(table, raw)
    assert [(sample.source, sample.label_name) for sample in samples] == [
        (f"{composed}1.png", composed),
        (f"{composed}2.png", composed),
    ]
    assert reasons(rejects) == {"labels.csv:4": "its image is listed before"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "path,filename,label",
            r"more than one column for the path \(found: 'path', 'filename'\).*layout\.columns",
        ),
        ("path,label,emotion", r"more than one column for the label \(found: 'label', 'emotion'\)"),
        ("path,label,set,split", r"more than one column for the split \(found: 'set', 'split'\)"),
    ],
)
def test_two_columns_that_may_be_meant_are_an_error_that_asks(
    tmp_path: Path, header: str, message: str
) -> None:
    raw = table_folder(tmp_path, f"{header}\na.png{',a.png' * header.count(',')}\n")
    assert table.recognises(raw, LayoutParams())
    with pytest.raises(FerflowError, match=message):
        list(table.read(raw, LayoutParams()))


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"file": "none.csv"}, r"has no file 'none\.csv' \(found: 'labels\.csv', 'other\.csv'\)"),
        ({"file": "other.csv"}, r"other\.csv has no column for the path \(found: 'a', 'b'\)"),
        (
            {"file": "labels.csv", "columns": {"path": "path", "label": "Label"}},
            r"labels\.csv has no column 'Label' \(found: 'path', 'label'\): correct layout\.columns",
        ),
        (
            {"columns": {"path": "path", "label": "Label"}},
            r"no CSV file with the columns 'path', 'Label' \(found: 'labels\.csv', 'other\.csv'\)",
        ),
    ],
)
def test_a_wrong_name_in_the_layout_is_an_error(tmp_path: Path, layout: dict[str, Any], message: str) -> None:
    raw = with_files(table_folder(tmp_path, "path,label\na.png,joy\n"), {"other.csv": "a,b\n1,2\n"})
    with pytest.raises(FerflowError, match=message):
        list(table.read(raw, LayoutParams(format="table", **layout)))


def test_two_tables_are_an_error_unless_one_is_named(tmp_path: Path) -> None:
    raw = with_files(
        table_folder(tmp_path, "path,label\na.png,joy\n"), {"x.tsv": "image\tclass\nb/c.png\tsad\n"}
    )
    with pytest.raises(FerflowError, match=r"2 CSV files .* \('labels\.csv', 'x\.tsv'\): name one of them"):
        list(table.read(raw, LayoutParams()))
    (sample,), _ = read_all(table, raw, format="table", file="x.tsv")
    assert (sample.source, sample.label_name) == ("b/c.png", "sad")


def test_a_named_table_may_have_any_suffix(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path|label\na.png|joy\n", name="lists/all.txt")
    (sample,), _ = read_all(table, raw, format="table", file=r"lists\all.txt")
    assert sample.source == "a.png"


@pytest.mark.parametrize(
    "text",
    [
        "path,label\nelsewhere/1.png,joy\nelsewhere/2.png,joy\n",
        "path,prediction\na.png,joy\n",
        "name,label\na.png,joy\n",
        "path,label\n",
        "",
    ],
)
def test_a_table_that_lists_no_images_of_the_folder_is_not_recognised(tmp_path: Path, text: str) -> None:
    assert not table.recognises(table_folder(tmp_path, text), LayoutParams())


def test_a_table_with_some_of_its_images_missing_is_recognised(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path,label\nnowhere.png,joy\nbroken row\n../x,joy\na.png,joy\n")
    assert table.recognises(raw, LayoutParams())


rows = st.lists(
    st.tuples(
        st.sampled_from(["a.png", "b/c.png", "d, e.png", "é.png", "missing.png"]),
        st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8),
        st.sampled_from(["train", "Validation", "PrivateTest", "", "holiday"]),
    ),
    min_size=1,
    max_size=8,
)
MEANING = {"train": "train", "Validation": "val", "PrivateTest": "test", "": None}


@settings(max_examples=60, deadline=None)
@given(rows=rows, delimiter=st.sampled_from([",", "\t", ";", "|"]), order=st.permutations([0, 1, 2]))
def test_whatever_rows_are_written_each_is_a_sample_or_a_defect(
    rows: list[tuple[str, str, str]], delimiter: str, order: list[int]
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in [("path", "label", "split"), *rows]:
        writer.writerow([row[index] for index in order])
    with tempfile.TemporaryDirectory() as folder:
        pictures = ("a.png", "b/c.png", "d, e.png", "é.png")
        raw = table_folder(Path(folder), stream.getvalue(), *pictures)
        items = list(table.read(raw, LayoutParams()))
    assert len(items) == len(rows)
    seen = set()
    for (path, label, split), item in zip(rows, items, strict=True):
        fits = path != "missing.png" and split in MEANING and path not in seen
        assert isinstance(item, RawSample) == fits
        if isinstance(item, RawSample):
            seen.add(path)
            assert item.source == path
            assert item.label_name == unicodedata.normalize("NFC", label.strip())
            assert item.usage == MEANING[split]


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=60),
    header=st.sampled_from([b"", b"path,label\n", b"path,label,split\na.png,joy,"]),
)
def test_arbitrary_bytes_raise_nothing_but_an_error_for_people(content: bytes, header: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = with_files(Path(folder), {"labels.csv": header + content, "a.png": PICTURE})
        table.recognises(raw, LayoutParams())
        try:
            items = list(table.read(raw, LayoutParams()))
        except FerflowError:
            return
    assert items
