from __future__ import annotations

import bz2
import functools
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferflow.data.source import checks
from ferflow.data.source.kinds import separator_of
from ferflow.data.source.tables import table_name
from ferflow.files import sha256_of_file

from .made import TABLE, bring, contents, refusal

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": functools.cache(gzip.compress),
    "bz2": functools.cache(bz2.compress),
    "xz": functools.cache(lzma.compress),
}
#: Rows longer than what is read at once.
_PIXELS = " ".join(map(str, np.random.default_rng(0).integers(0, 256, 120_000))).encode()
LARGE = b"emotion,pixels\n" + b"".join(b"%d,%s\n" % (row, _PIXELS) for row in range(3))


@pytest.mark.parametrize("name", ["fer2013.csv", "labels.TSV", "label.lst", "list with spaces.txt"])
def test_a_table_is_copied_under_its_name(tmp_path: Path, name: str) -> None:
    table = tmp_path / name
    table.write_bytes(TABLE)
    assert bring(table, tmp_path / "raw") == sha256_of_file(table)
    assert contents(tmp_path / "raw") == {name: TABLE}


@pytest.mark.parametrize("content", [TABLE, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_compressed_table_is_unpacked(tmp_path: Path, suffix: str, content: bytes) -> None:
    table = tmp_path / f"fer2013.csv.{suffix}"
    table.write_bytes(COMPRESSIONS[suffix](content))
    assert bring(table, tmp_path / "raw") == sha256_of_file(table)
    assert contents(tmp_path / "raw") == {"fer2013.csv": content}


def test_a_compressed_table_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    (tmp_path / "fer2013.zip").write_bytes(gzip.compress(TABLE))
    bring(tmp_path / "fer2013.zip", tmp_path / "raw")
    assert contents(tmp_path / "raw") == {"fer2013.zip.csv": TABLE}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_a_truncated_compressed_table_is_refused(
    tmp_path: Path, compress: Callable[[bytes], bytes], share: float
) -> None:
    packed = compress(LARGE)
    (tmp_path / "fer2013.csv.gz").write_bytes(packed[: int(share * len(packed))])
    assert "cannot be unpacked (" in refusal(tmp_path / "fer2013.csv.gz", tmp_path)


def test_a_compressed_table_that_expands_too_far_is_refused_before_it_is_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "MAX_EXPANSION", 2)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(TABLE + b"0,0 0 0 0,Training\n" * 500_000))
    message = refusal(tmp_path / "bomb.csv.gz", tmp_path)
    assert f"would unpack to {3 << 20:,} bytes or more" in message


def test_a_compressed_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face.png.gz").write_bytes(gzip.compress(b"\x89PNG\r\n\x1a\n\0\0"))
    assert "holds neither a tar archive nor a table" in refusal(tmp_path / "face.png.gz", tmp_path)


@pytest.mark.parametrize(
    ("head", "separator"),
    [
        (TABLE, ","),
        ("\ufeffpath;label\r\nFaces/glücklich.png;happy\r\n".encode(), ";"),
        (b"subDirectory\texpression\n1/2,3.jpg\t1\n", "\t"),
        (b"angry_1.jpg 0 28 113 226 141 22.9362 0\nangry_2.jpg 1 3 4 50 51 -1.5 6\n", " "),
        (b"train_00001.jpg 5\ntrain_00002.jpg 4", " "),
        (b'path,label\n"a, b.png",happy\n', ","),
        (b"\n\npath,label\n\nx.png,happy\n", ","),
        ("path,label\nmüde.png,sad\n".encode("latin-1"), ","),
        (b"path,label\nx.png,\xc3", ","),
    ],
    ids=["csv", "semicolons", "tabs", "ExpW", "RAF-DB", "quotes", "blank lines", "latin-1", "cut character"],
)
def test_what_separates_the_fields_of_a_table(head: bytes, separator: str) -> None:
    assert separator_of(head) == separator


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"path,label\n",
        b"Dear colleague,\nthe faces are here.\n",
        b"The same number of words\nAnd the same number again\n",
        b"<!doctype html>,\n<html>,\n",
        b'{"error": 1, "message": 2}\n{"error": 1, "message": 2}\n',
        b"a,b\n\x00\x01,c\n",
    ],
    ids=["empty", "no row", "prose", "even prose", "web page", "JSON", "binary"],
)
def test_what_is_no_table(head: bytes) -> None:
    assert separator_of(head) is None


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("data/fer2013.csv", "fer2013.csv"),
        ("https://host/a%20b/my%20faces.csv.gz?version=3#top", "my faces.csv"),
        ("https://host/download?id=3", "download.csv"),
        ("https://host", "table.csv"),
        ("https://host/..%2F..%2Fescaped.csv", "escaped.csv"),
        ("https://host/..%5Cescaped.csv", ".._escaped.csv"),
        ("https://host/%2E%2E", "...csv"),
        ("s3://bucket/folder/fer2013.csv.XZ", "fer2013.csv"),
    ],
)
def test_a_table_is_named_by_the_last_part_of_its_source(source: str, name: str) -> None:
    assert table_name(source, ",") == name


@pytest.mark.parametrize(
    ("separator", "suffix"), [(",", ".csv"), (";", ".csv"), ("\t", ".tsv"), (" ", ".lst")]
)
def test_a_name_without_a_tables_suffix_gets_one_by_content(separator: str, suffix: str) -> None:
    assert table_name("https://host/files/17", separator) == f"17{suffix}"
