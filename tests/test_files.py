from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferflow.errors import FerflowError
from ferflow.files import (
    atomic_file,
    atomic_folder,
    read_json,
    read_table,
    sha256_of_file,
    sha256_of_json,
    write_csv,
    write_json,
    write_parquet,
    write_text,
)

TABLE = pd.DataFrame({"name": ["a", "b"], "value": [0.1, 2.0]})
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def backwards(value: Any) -> Any:
    """The same value with the keys of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def test_a_file_appears_whole_under_its_name_in_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.keras"
    with atomic_file(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".keras"
        assert not temporary.exists()
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names_in(path.parent) == ["model.keras"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_file_keeps_its_content_when_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(error), atomic_file(path) as temporary:
        temporary.write_text("half of the new")
        raise error
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["table.csv"]


def test_a_writer_that_writes_nothing_does_not_replace_a_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_file(path):
        pass
    assert path.read_text() == "old"


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "data" / "raw"
    for content in ("first", "second"):
        with atomic_folder(path) as temporary:
            assert names_in(temporary) == []
            (temporary / content).write_text(content)
    assert names_in(path) == ["second"]
    assert names_in(path.parent) == ["raw"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_folder_keeps_its_content_when_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "raw"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(error), atomic_folder(path) as temporary:
        (temporary / "new").touch()
        raise error
    assert names_in(path) == ["old"]
    assert names_in(tmp_path) == ["raw"]


def test_a_folder_that_fails_at_first_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "raw"):
        raise RuntimeError
    assert names_in(tmp_path) == []


def test_what_a_killed_run_left_does_not_hinder_the_next(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.mkdir()
    # In a container, the next process often has the number of the one that was killed.
    retired = tmp_path / f".raw.{os.getpid()}.old"
    retired.mkdir()
    (retired / "left").touch()
    (tmp_path / f".table.{os.getpid()}.tmp.csv").write_text("half")
    with atomic_folder(path) as temporary:
        (temporary / "new").touch()
    write_csv(tmp_path / "table.csv", TABLE)
    assert names_in(path) == ["new"]
    assert (tmp_path / "table.csv").read_text().startswith("name,value\n")


@pytest.mark.parametrize(
    ("name", "write"),
    [("table.csv", write_csv), ("table.parquet", write_parquet)],
)
def test_tables_come_back_as_they_were_and_are_written_alike_twice(
    tmp_path: Path, name: str, write: Callable[[Path, pd.DataFrame], None]
) -> None:
    path = tmp_path / name
    write(path, TABLE.set_axis([5, 3]))
    first = path.read_bytes()
    pd.testing.assert_frame_equal(read_table(path), TABLE)
    write(path, TABLE)
    assert path.read_bytes() == first
    assert names_in(tmp_path) == [name]


def test_words_in_a_csv_come_back_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('name,count\nNA,1\n007,2\n"a\rb",3\nnull,4\n"",5\n', newline="")
    table = read_table(path, words=["name"])
    assert list(table["name"]) == ["NA", "007", "a\rb", "null", ""]
    assert list(table["count"]) == [1, 2, 3, 4, 5]


def test_csv_has_the_floats_as_asked(tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", TABLE, float_format="%.3f")
    assert (tmp_path / "table.csv").read_bytes() == b"name,value\na,0.100\nb,2.000\n"


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    value = {"z": [1, None, 0.1], "a": "glücklich 😀"}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value
    assert "glücklich 😀" in (tmp_path / "value.json").read_text(encoding="utf-8")


def test_json_that_is_not_json_is_not_written(tmp_path: Path) -> None:
    write_text(tmp_path / "value.json", "{}\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "value.json", {"loss": float("nan")})
    assert (tmp_path / "value.json").read_text() == "{}\n"


@pytest.mark.parametrize("read", [read_json, read_table])
@pytest.mark.parametrize("name", ["none.json", "none.csv", "none.parquet"])
def test_a_missing_file_is_named_with_a_remedy(
    tmp_path: Path, read: Callable[[Path], object], name: str
) -> None:
    with pytest.raises(FerflowError, match=rf"{name} is missing: run `dvc repro` to make it"):
        read(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}"])
def test_damaged_json_is_one_line_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "value.json").write_bytes(content)
    with pytest.raises(FerflowError, match=r"value\.json is not valid JSON \([^\n]+delete it and run"):
        read_json(tmp_path / "value.json")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv", b""),
        ("table.csv", b"a,b\n1,2\n1,2,3\n"),
        ("table.csv", b"a\n\xff\xfe\n"),
        ("table.parquet", b""),
        ("table.parquet", b"PAR1 no table PAR1"),
    ],
)
def test_a_damaged_table_is_one_line_with_a_remedy(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FerflowError, match=rf"{name} cannot be read \([^\n]+delete it and run[^\n]+$"):
        read_table(tmp_path / name)


def test_checksum_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@settings(max_examples=50, deadline=None)
@given(JSON_VALUES)
def test_checksum_of_json_does_not_depend_on_the_order_of_keys_or_on_a_round_trip(value: Any) -> None:
    assert sha256_of_json(value) == sha256_of_json(backwards(value))
    assert sha256_of_json(value) == sha256_of_json(json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("value", "other"),
    [([1, 2], [2, 1]), ({"a": 1}, {"a": "1"}), ({"a": None}, {}), ([1, 2], [12]), (1, 1.5)],
)
def test_other_values_have_another_checksum(value: Any, other: Any) -> None:
    assert sha256_of_json(value) != sha256_of_json(other)


def test_checksum_of_a_number_that_json_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        sha256_of_json({"learning_rate": float("inf")})
