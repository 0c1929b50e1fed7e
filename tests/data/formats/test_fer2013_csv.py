from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferflow.data.formats import RawSample, Reject, fer2013_csv
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.params import LayoutParams

from .building import read_all, reasons, with_files

HEADER = "emotion,pixels,Usage\n"
FOUR = "0 7 128 255"


def read_text(tmp_path: Path, text: str | bytes, name: str = "fer2013.csv", **layout: Any) -> Any:
    return read_all(fer2013_csv, with_files(tmp_path, {name: text}), **layout)


def test_every_row_is_a_sample_in_its_order(tmp_path: Path) -> None:
    rows = "".join(
        f"{label},{label} 7 128 255,{usage}\n"
        for label, usage in enumerate(["Training"] * 3 + ["PublicTest"] * 2 + ["PrivateTest"] * 2)
    )
    samples, rejects = read_text(tmp_path, HEADER + rows)
    assert rejects == []
    assert [sample.label_name for sample in samples] == list(EMOTIONS)
    assert [sample.usage for sample in samples] == ["train"] * 3 + ["val"] * 2 + ["test"] * 2
    assert [sample.source for sample in samples] == [f"fer2013.csv:{line}" for line in range(2, 9)]
    for label, sample in enumerate(samples):
        assert isinstance(sample.content, np.ndarray)
        assert sample.content.dtype == np.uint8
        assert sample.content.tolist() == [[label, 7], [128, 255]]
        assert sample.box is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"emotion, Usage, pixels\n3,Training,{FOUR}\n", "icml_face_data.csv"),
        (f"\ufeffemotion,pixels,Usage\n3,{FOUR},Training\n", "fer2013.csv"),
        (f"EMOTION,Pixels,USAGE\n3,{FOUR},training\n", "FER2013.CSV"),
        (f" pixels ,id, Usage,emotion\n{FOUR},17, Training , 3 \n", "deep/er/a.csv"),
        (f"emotion,pixels,Usage\r\n3,{FOUR},Training\r\n", "fer2013.csv"),
        (f"emotion,pixels,Usage\r3,{FOUR},Training\r", "fer2013.csv"),
        (f'"emotion","pixels","Usage"\n"3","{FOUR}","Training"\n', "fer2013.csv"),
        (f'"emotion", "pixels", "Usage"\n"3", "{FOUR}", "Training"\n', "fer2013.csv"),
        ("emotion;pixels;Usage\n3;0  7\t128 255 ;Training", "fer2013.csv"),
        (f"emotion\tpixels\tUsage\n3\t{FOUR}\tTraining\n", "fer2013.tsv"),
        ("emotion,pixels,Usage\n3,000 007 128 255,Training\n", "fer2013.csv"),
    ],
)
def test_the_same_table_in_other_words(tmp_path: Path, text: str, name: str) -> None:
    raw = with_files(tmp_path, {name: text})
    assert fer2013_csv.recognises(raw, LayoutParams())
    (sample,), rejects = read_all(fer2013_csv, raw)
    assert rejects == []
    assert (sample.source, sample.label_name, sample.usage) == (f"{name}:2", "happy", "train")
    assert np.asarray(sample.content).tolist() == [[0, 7], [128, 255]]


@pytest.mark.parametrize(
    ("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
@pytest.mark.parametrize("named_so", [True, False])
def test_a_compressed_table_is_read_whatever_its_name(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes], named_so: bool
) -> None:
    name = f"fer2013.csv{suffix if named_so else ''}"
    (sample,), _ = read_text(tmp_path, compress(f"{HEADER}6,{FOUR},PrivateTest\n".encode()), name)
    assert (sample.source, sample.label_name, sample.usage) == (f"{name}:2", "neutral", "test")


@pytest.mark.parametrize(
    ("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_a_truncated_compressed_table_is_an_error(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (30, 48 * 48))
    rows = "".join(f"6,{' '.join(map(str, row))},Training\n" for row in levels.tolist())
    whole = compress((HEADER + rows).encode())
    raw = with_files(tmp_path, {f"fer2013.csv{suffix}": whole[:-9]})
    with pytest.raises(FerflowError, match=r"cannot be read \(.+\): it is damaged; fetch it again"):
        list(fer2013_csv.read(raw, LayoutParams(format="fer2013_csv", file=f"fer2013.csv{suffix}")))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("3,0 7 128,Training", "3 pixels, which make no square image (48 × 48 are 2,304)"),
        ("3,,Training", "0 pixels, which make no square image (48 × 48 are 2,304)"),
        ("3,  ,Training", "0 pixels, which make no square image (48 × 48 are 2,304)"),
        ("3,0 7 128 256,Training", "pixel '256' is no whole number from 0 to 255"),
        (f"3,0 7 128 {10**30},Training", f"pixel '{10**30}' is no whole number from 0 to 255"),
        (f"3,0 7 128 {'0' * 5000}1 x,Training", "pixel 'x' is no whole number from 0 to 255"),
        ("3,0 7 x 255,Training", "pixel 'x' is no whole number from 0 to 255"),
        ("3,0 7 1.5 255,Training", "pixel '1.5' is no whole number from 0 to 255"),
        ("3,0 7 -1 255,Training", "pixel '-1' is no whole number from 0 to 255"),
        ("3,0 7 ٣ 255,Training", "pixel '٣' is no whole number from 0 to 255"),
        ("3,[0 7 128 255],Training", "pixel '[0' is no whole number from 0 to 255"),
        ("3,0 7 1\0 255,Training", r"pixel '1\x00' is no whole number from 0 to 255"),
        ('3,0 7 "1" 255,Training', "pixel '\"1\"' is no whole number from 0 to 255"),
        (f"7,{FOUR},Training", "emotion '7' is none of 0 to 6"),
        (f"-1,{FOUR},Training", "emotion '-1' is none of 0 to 6"),
        (f",{FOUR},Training", "emotion '' is none of 0 to 6"),
        (f"3.0,{FOUR},Training", "emotion '3.0' is none of 0 to 6"),
        (f"3,{FOUR},Holiday", "usage 'Holiday' is none of Training, PublicTest, PrivateTest"),
        (f"3,{FOUR},", "usage '' is none of Training, PublicTest, PrivateTest"),
        (f"3,{FOUR}", "2 fields instead of 3"),
        (f"3,{FOUR},Training,", "4 fields instead of 3"),
        ("hello", "1 fields instead of 3"),
        (f'3,"{FOUR},Training', "a quote is not closed, or stands in the wrong place"),
        (f'"3" x,{FOUR},Training', "a quote is not closed, or stands in the wrong place"),
    ],
)
def test_a_malformed_row_is_a_reject_and_shifts_no_other(tmp_path: Path, row: str, reason: str) -> None:
    good = f"1,{FOUR},Training\n"
    samples, (reject,) = read_text(tmp_path, f"{HEADER}{good}\n{row}\n{good}{good}")
    assert (reject.source, reject.reason, reject.defect) == ("fer2013.csv:4", reason, True)
    assert [sample.source for sample in samples] == ["fer2013.csv:2", "fer2013.csv:5", "fer2013.csv:6"]
    assert {sample.label_name for sample in samples} == {"disgust"}


def test_bytes_that_are_not_utf_8_cost_their_row_alone(tmp_path: Path) -> None:
    text = HEADER.encode() + b"3,0 7 \xff\xfe 255,Training\n" + f"1,{FOUR},Training\n".encode()
    samples, (reject,) = read_text(tmp_path, text)
    assert reject.source == "fer2013.csv:2"
    assert [sample.source for sample in samples] == ["fer2013.csv:3"]


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    text = f'\n\n{HEADER}\n  \n3,"0 7\n128\n255",Training\n\n4,{FOUR},"Training"\n5,{FOUR},Training\n'
    samples, rejects = read_text(tmp_path, text)
    assert rejects == []
    assert [sample.source for sample in samples] == ["fer2013.csv:6", "fer2013.csv:10", "fer2013.csv:11"]
    assert np.asarray(samples[0].content).tolist() == [[0, 7], [128, 255]]


def test_a_malformed_row_over_several_lines_is_one_reject(tmp_path: Path) -> None:
    samples, rejects = read_text(tmp_path, f'{HEADER}3,"0 7\n128",Training\n4,{FOUR},Training\n')
    assert reasons(rejects) == {"fer2013.csv:2": "3 pixels, which make no square image (48 × 48 are 2,304)"}
    assert [sample.source for sample in samples] == ["fer2013.csv:4"]


def test_an_unclosed_quote_does_not_take_the_rows_below_it_along(tmp_path: Path) -> None:
    good = f"1,{FOUR},Training\n"
    broken = f'3,"{FOUR},Training\n'
    samples, rejects = read_text(
        tmp_path, HEADER + broken + good + good + broken + good + '"3\n' + good + '"\n'
    )
    assert [sample.source for sample in samples] == [f"fer2013.csv:{line}" for line in (3, 4, 6, 8)]
    assert list(reasons(rejects)) == [f"fer2013.csv:{line}" for line in (2, 5, 7, 9)]


def test_a_large_quoted_image_is_read(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(100, 256, (224, 224))
    (sample,), _ = read_text(tmp_path, f'{HEADER}3,"{" ".join(map(str, levels.ravel()))}",Training\n')
    np.testing.assert_array_equal(sample.content, levels)


def test_a_table_without_usage_declares_none(tmp_path: Path) -> None:
    (sample,), _ = read_text(tmp_path, f"emotion,pixels\n3,{FOUR}\n", "train.csv")
    assert (sample.source, sample.usage) == ("train.csv:2", None)


CHALLENGE: dict[str, bytes | str] = {
    "icml_face_data.csv": f"emotion, Usage, pixels\n3,PublicTest,{FOUR}\n",
    "train.csv": f"emotion,pixels\n0,{FOUR}\n",
    "test.csv": f"pixels\n{FOUR}\n",
    "example_submission.csv": "usage,emotion\nPublicTest,0\n",
    "fer2013.tar.gz": gzip.compress(b"fer2013/fer2013.csv\0\0\0emotion,pixels,Usage\n"),
    "__MACOSX/._fer2013.csv": f"{HEADER}0,{FOUR},Training\n",
    "._icml_face_data.csv": f"{HEADER}0,{FOUR},Training\n",
}


def test_of_the_tables_of_the_challenge_the_one_with_usage_is_read(tmp_path: Path) -> None:
    raw = with_files(tmp_path, CHALLENGE)
    assert fer2013_csv.recognises(raw, LayoutParams())
    (sample,), rejects = read_all(fer2013_csv, raw)
    assert (sample.source, sample.label_name, sample.usage) == ("icml_face_data.csv:2", "happy", "val")
    # Nothing beside the table is passed over in silence.
    assert {reject.source for reject in rejects} == CHALLENGE.keys() - {"icml_face_data.csv"}
    assert not any(reject.defect for reject in rejects)


def test_the_table_can_be_named(tmp_path: Path) -> None:
    raw = with_files(tmp_path, CHALLENGE)
    (sample,), _ = read_all(fer2013_csv, raw, format="fer2013_csv", file="train.csv")
    assert (sample.source, sample.label_name, sample.usage) == ("train.csv:2", "angry", None)


@pytest.mark.parametrize("header", [HEADER, "emotion,pixels\n"])
def test_two_tables_are_an_error_that_asks_which(tmp_path: Path, header: str) -> None:
    row = f"3,{FOUR}{',Training' if header == HEADER else ''}\n"
    raw = with_files(tmp_path, {"b.csv": header + row, "a/c.csv": header + row})
    with pytest.raises(
        FerflowError, match=r"2 CSV files .* \('a/c\.csv', 'b\.csv'\): name one .*layout\.file"
    ):
        list(fer2013_csv.read(raw, LayoutParams()))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            "none.csv",
            r"has no file 'none\.csv' \(found: 'fer2013\.csv', .*'other\.csv'\): correct layout\.file",
        ),
        ("../secret.csv", r"has no file '\.\./secret\.csv'"),
        ("/etc/passwd", r"has no file '/etc/passwd'"),
        (".", r"has no file '\.'"),
        ("other.csv", r"other\.csv has no column emotion and pixels \(found: 'a', 'b'\)"),
        ("empty.csv", r"empty\.csv has no rows, it is empty: fetch it again"),
        ("header.csv", r"header\.csv has no rows below its header"),
        ("zeros.csv", r"zeros\.csv does not begin with a header"),
        ("no_rows.csv", r"no_rows\.csv has no rows below its header"),
        ("broken.csv.gz", r"broken\.csv\.gz cannot be read"),
    ],
)
def test_a_named_file_that_cannot_be_read_is_an_error(tmp_path: Path, file: str, message: str) -> None:
    with_files(tmp_path, {"secret.csv": f"{HEADER}3,{FOUR},Training\n"})
    raw = with_files(
        tmp_path / "raw",
        {
            "fer2013.csv": f"{HEADER}3,{FOUR},Training\n",
            "other.csv": "a,b\n1,2\n",
            "empty.csv": "",
            "header.csv": HEADER.strip(),
            "zeros.csv": "0" * (1 << 17),
            "no_rows.csv": f"{HEADER}\n \n",
            "broken.csv.gz": b"\x1f\x8b\x08\x00",
        },
    )
    with pytest.raises(FerflowError, match=message):
        list(fer2013_csv.read(raw, LayoutParams(format="fer2013_csv", file=file)))


def test_no_table_is_an_error_that_says_what_there_is(tmp_path: Path) -> None:
    raw = with_files(tmp_path, {"a.csv": "path,label\nx,happy\n", "b.txt": HEADER})
    assert not fer2013_csv.recognises(raw, LayoutParams())
    with pytest.raises(
        FerflowError, match=r"no CSV file with the columns emotion and pixels \(found: 'a\.csv'\)"
    ):
        list(fer2013_csv.read(raw, LayoutParams()))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_memory_is_that_of_a_few_rows(tmp_path: Path, suffix: str) -> None:
    row = f"3,{' '.join(['200'] * 48 * 48)},Training\n"
    text = (HEADER + 2000 * row).encode()
    raw = with_files(tmp_path, {f"a.csv{suffix}": gzip.compress(text, 1) if suffix else text})
    del text
    tracemalloc.start()
    count = sum(1 for _ in fer2013_csv.read(raw, LayoutParams()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2000
    assert peak < 2_000_000


usages = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
good_rows = st.tuples(
    st.integers(0, 6),
    st.integers(1, 4).flatmap(lambda side: st.lists(st.integers(0, 255), min_size=side**2, max_size=side**2)),
    st.sampled_from(list(usages)),
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(good_rows, min_size=1, max_size=8),
    order=st.permutations(["emotion", "pixels", "Usage", "note"]),
    # The csv module does not quote a carriage return, which ends a line all the same.
    note=st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\n", "\r\n"]),
    between=st.sampled_from([" ", "  ", "\n"]),
)
def test_whatever_rows_are_written_they_are_read_as_they_were(
    rows: list[tuple[int, list[int], str]],
    order: list[str],
    note: str,
    quoting: Any,
    newline: str,
    between: str,
) -> None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, order, quoting=quoting, lineterminator=newline)
    writer.writeheader()
    for label, pixels, usage in rows:
        words = between.join(map(str, pixels))
        writer.writerow({"emotion": label, "pixels": words, "Usage": usage, "note": note})
    with tempfile.TemporaryDirectory() as folder:
        samples, rejects = read_text(Path(folder), stream.getvalue())
    assert rejects == []
    assert [
        (EMOTIONS.index(sample.label_name), np.asarray(sample.content).ravel().tolist(), sample.usage)
        for sample in samples
    ] == [(label, pixels, usages[usage]) for label, pixels, usage in rows]


def line_of(row: tuple[int, list[int], str]) -> str:
    return f"{row[0]},{' '.join(map(str, row[1]))},{row[2]}"


def items_of(lines: list[str]) -> dict[int, RawSample | Reject]:
    """Return what is read from these lines below a header, by their index."""
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(f"{line}\n" for line in ["0,1,Training", *lines])
        items = list(fer2013_csv.read(with_files(Path(folder), {"a.csv": HEADER + text}), LayoutParams()))
    numbers = [int(item.source.removeprefix("a.csv:")) - 3 for item in items]
    assert numbers == sorted(set(numbers))
    return dict(zip(numbers[1:], items[1:], strict=True))


def junk(without: str) -> st.SearchStrategy[str]:
    return st.one_of(
        st.text(st.sampled_from(sorted(set('0123 ,",;x\t\0é') - set(without))), max_size=20),
        st.text(st.characters(codec="utf-8", exclude_characters=without), max_size=20),
    )


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(st.one_of(good_rows, junk(without='\r\n"')), max_size=10))
def test_whatever_lines_are_written_each_is_a_sample_or_a_reject(
    lines: list[tuple[int, list[int], str] | str],
) -> None:
    items = items_of([line if isinstance(line, str) else line_of(line) for line in lines])
    assert set(items) == {
        index for index, line in enumerate(lines) if not isinstance(line, str) or line.strip()
    }
    for index, line in enumerate(lines):
        if not isinstance(line, str):
            item = items[index]
            assert isinstance(item, RawSample)
            assert item.label_name == EMOTIONS[line[0]]
            assert np.asarray(item.content).ravel().tolist() == line[1]
            assert item.usage == usages[line[2]]


@settings(max_examples=60, deadline=None)
@given(before=st.lists(junk(without="\r\n"), max_size=6), row=good_rows, count=st.integers(1, 4))
def test_stray_quotes_cost_no_row_but_their_own(
    before: list[str], row: tuple[int, list[int], str], count: int
) -> None:
    """No quoted field with a comma and a line end in it can be closed by rows without quotes."""
    items = items_of([*before, *[line_of(row)] * count])
    for index in range(len(before), len(before) + count):
        assert isinstance(items[index], RawSample)


@settings(max_examples=60, deadline=None)
@given(
    content=st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda end: HEADER.encode() + end))
)
def test_arbitrary_bytes_raise_nothing_but_an_error_for_people(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = with_files(Path(folder), {"fer2013.csv": content})
        fer2013_csv.recognises(raw, LayoutParams())
        try:
            items = list(fer2013_csv.read(raw, LayoutParams()))
        except FerflowError:
            return
    assert items
