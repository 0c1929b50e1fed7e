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

from ferflow.data.formats import RawSample, Reject, listed_files, table
from ferflow.errors import FerflowError
from ferflow.labels import parse_label
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
    pictures = ["a.png", "b/c.png", 'd, "e".png', "f\ng.png"]
    raw = table_folder(tmp_path, f"path,label\n{path},joy\n", *pictures)
    (sample,), rejects = read_all(table, raw)
    assert {reject.source for reject in rejects} == set(pictures) - {source}
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
    assert reasons(rejects) == {"both.png": "no usable row of lists/labels.csv names it"}
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
    ],
)
def test_a_row_that_is_no_sample_is_a_defect_and_shifts_no_other(
    tmp_path: Path, row: str, source: str, reason: str
) -> None:
    with_files(tmp_path, {"secret.png": PICTURE})
    text = f"path,label,split\na.png,joy,train\n{row}\nb/d.png,fear,test\n"
    raw = table_folder(tmp_path / "raw", text, "a.png", "b/c.png", "b/d.png")
    samples, (reject, unnamed) = read_all(table, raw)
    assert (reject.source, reject.reason, reject.defect) == (source, reason, True)
    assert unnamed.source == "b/c.png"
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
    text = f"path,label\n{composed}1.png,{decomposed}\n{decomposed}2.png,{composed}\n"
    text += f"{decomposed}2.png,{decomposed}\n"
    raw = table_folder(tmp_path, text, f"{decomposed}1.png", f"{composed}2.png")
    samples, rejects = read_all(table, raw)
    assert [(sample.source, sample.label_name) for sample in samples] == [
        (f"{composed}1.png", composed),
        (f"{composed}2.png", composed),
    ]
    assert reasons(rejects) == {"labels.csv:4": "repeats an earlier row"}


@pytest.mark.parametrize(
    ("row", "again"),
    [
        ("a.png,happy,train", "a.png,happy,train"),
        ("a.png,happy,train", r".\a.png, Happy ,Training"),
        ("a.png,joy,", "a.png,happiness,"),
        ("a.png,froh,val", "a.png,joy,eval"),
        ("a.png,boredom,val", "a.png,Boredom,val"),
    ],
)
def test_a_row_that_says_the_same_again_is_left_out(tmp_path: Path, row: str, again: str) -> None:
    raw = table_folder(tmp_path, f"path,label,split\n{row}\nb/c.png,sad,\n{again}\n")
    samples, rejects = read_all(table, raw, aliases={"froh": "happy"})
    assert [sample.source for sample in samples] == ["a.png", "b/c.png"]
    assert rejects == [
        Reject("labels.csv:4", "repeats an earlier row", "nothing to do: it is left out", defect=False)
    ]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["a.png,happy,train", "./a.png,sad,train"], "listed as 'happy' (line 2) and as 'sad' (line 4)"),
        (["a.png,boredom,", "a.png,happy,"], "listed as 'boredom' (line 2) and as 'happy' (line 4)"),
        (["a.png,happy,train", "a.png,happy,test"], "listed in train (line 2) and in test (line 4)"),
        (["a.png,happy,", "a.png,joy,val"], "listed in no split (line 2) and in val (line 4)"),
        (["a.png,happy,train", "a.png,sad,test"], "listed as 'happy' (line 2) and as 'sad' (line 4)"),
        (
            ["a.png,happy,", "a.png,joy,", "a.png,sad,", "a.png,fear,", "a.png,happy,"],
            "listed as 'happy' (line 2) and as 'sad' (line 5)",
        ),
    ],
)
def test_rows_that_disagree_about_an_image_are_all_defects(
    tmp_path: Path, rows: list[str], reason: str
) -> None:
    first, *others = rows
    raw = table_folder(tmp_path, "\n".join(["path,label,split", first, "b/c.png,sad,", *others]))
    samples, rejects = read_all(table, raw)
    assert [sample.source for sample in samples] == ["b/c.png"]
    lines = [2, *range(4, 4 + len(others))]
    remedy = "keep the row of 'a.png' that is right"
    assert rejects == [Reject(f"labels.csv:{line}", reason, remedy) for line in lines]


def test_a_row_that_cannot_be_read_contradicts_none(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path,label,split\na.png,sad,holiday\na.png,joy,train\n", "a.png")
    (sample,), (reject,) = read_all(table, raw)
    assert (sample.label_name, reject.source) == ("joy", "labels.csv:2")


def test_files_that_no_row_names_are_left_out_with_a_reason(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path,label\na.png,joy\nb/c.png,joy,\n")
    raw_folder(raw, "happy/1.png", "._a.png", ".cache/2.png")
    with_files(raw, {"other.csv": "a,b\n1,2\n"})
    _, (malformed, *rejects) = read_all(table, raw)
    assert malformed.source == "labels.csv:3"
    unnamed = "no usable row of labels.csv names it"
    assert reasons(rejects) == {
        "._a.png": "by-product of an operating system",
        ".cache/2.png": "lies in a hidden folder",
        "b/c.png": unnamed,
        "happy/1.png": unnamed,
        "other.csv": unnamed,
    }
    assert not any(reject.defect for reject in rejects)


def test_what_is_hidden_can_be_named_all_the_same(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path,label\n.cache/a.png,joy\n", ".cache/a.png")
    (sample,), rejects = read_all(table, raw)
    assert (sample.source, rejects) == (".cache/a.png", [])


def test_a_table_in_a_hidden_folder_is_no_table(tmp_path: Path) -> None:
    raw = table_folder(tmp_path, "path,label\na.png,joy\n", "a.png")
    with_files(raw, {".ipynb_checkpoints/labels-checkpoint.csv": "path,label\n../a.png,sad\n"})
    (sample,), _ = read_all(table, raw)
    assert sample.label_name == "joy"


def test_an_image_is_the_same_in_other_cases_where_the_file_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = table_folder(tmp_path, "path,label\nA.PNG,joy\nb/C.png,sad\na.png,fear\n")
    monkeypatch.setattr(listed_files, "find_file", lambda folder, name: folder / name)
    (sample,), rejects = read_all(table, raw)
    assert (sample.source, sample.content) == ("b/c.png", raw / "b" / "c.png")
    assert list(reasons(rejects)) == ["labels.csv:2", "labels.csv:4"]


@pytest.mark.parametrize("others", [{}, {"elsewhere/x.png": PICTURE}])
def test_a_table_without_its_images_is_an_error_that_asks_for_them(
    tmp_path: Path, others: dict[str, bytes]
) -> None:
    text = "path,label\n,joy\nfaces/1.png,joy\nfaces/2.png,sad\n"
    raw = with_files(with_files(tmp_path, {"labels.csv": text}), others)
    with pytest.raises(
        FerflowError,
        match=r"labels\.csv lists images \(e\.g\. 'faces/1\.png'\), but not one .* is there: give the folder "
        r"or the archive that holds the table and its images as `source`",
    ):
        list(table.read(raw, LayoutParams()))


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


PICTURES = ("a.png", "b/c.png", "d, e.png", "é.png")
words = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
rows = st.lists(
    st.tuples(
        st.sampled_from([*PICTURES, "missing.png"]),
        st.one_of(st.sampled_from(["joy", "Happy", "sad"]), words),
        st.sampled_from(["train", "Training", "Validation", "PrivateTest", "", "holiday"]),
    ),
    max_size=8,
)
MEANING = {"train": "train", "Training": "train", "Validation": "val", "PrivateTest": "test", "": None}


def meaning(label: str, split: str) -> tuple[str, str | None]:
    word = unicodedata.normalize("NFC", label.strip())
    return parse_label(word) or word.lower(), MEANING[split]


@settings(max_examples=100, deadline=None)
@given(rows=rows, delimiter=st.sampled_from([",", "\t", ";", "|"]), order=st.permutations([0, 1, 2]))
def test_whatever_rows_are_written_each_is_a_sample_or_a_reject(
    rows: list[tuple[str, str, str]], delimiter: str, order: list[int]
) -> None:
    rows = [("there.png", "joy", ""), *rows]
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in [("path", "label", "split"), *rows]:
        writer.writerow([row[index] for index in order])
    with tempfile.TemporaryDirectory() as folder:
        raw = table_folder(Path(folder), stream.getvalue(), "there.png", *PICTURES)
        items = list(table.read(raw, LayoutParams()))
    said: dict[str, list[tuple[str, str | None]]] = {}
    for (path, label, split), item in zip(rows, items, strict=False):
        if path == "missing.png" or split not in MEANING:
            assert isinstance(item, Reject)
            assert item.defect
            continue
        said.setdefault(path, []).append(meaning(label, split))
        agreed = {meaning(*other[1:]) for other in rows if other[0] == path and other[2] in MEANING}
        if len(agreed) == 1 and len(said[path]) == 1:
            assert isinstance(item, RawSample)
            assert (item.source, item.usage) == (path, MEANING[split])
            assert item.label_name == unicodedata.normalize("NFC", label.strip())
        else:
            assert isinstance(item, Reject)
            assert item.defect == (len(agreed) > 1)
    assert [item.source for item in items[len(rows) :]] == [path for path in PICTURES if path not in said]


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
