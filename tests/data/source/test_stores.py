from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from ferflow.data.source import Origin, fetch_source
from ferflow.errors import FerflowError

from .made import FILES, TABLE, contents, refusal, zip_file

LARGE = TABLE + b"0,0 0 0 0,Training\n" * 300_000


class Store:
    """fsspec's store in memory, whose streams may break."""

    def __init__(self) -> None:
        self.system = MemoryFileSystem()
        self.breaks: list[int] = []  # bytes after which the next streams break
        self.began: list[int] = []  # where each stream was begun
        self.error: Exception = OSError("connection lost")
        self.seekable = True

    def put(self, name: str, content: bytes) -> str:
        self.system.pipe_file(f"/bucket/{name}", content)
        return f"memory://bucket/{name}"


class _Stream(io.BytesIO):
    def __init__(self, store: Store, content: bytes) -> None:
        super().__init__(content)
        self.store = store
        self.end = store.breaks.pop(0) if store.breaks else None
        self.begun = False

    def read(self, size: int | None = -1) -> bytes:
        if not self.begun:
            self.begun = True
            self.store.began.append(self.tell())
        if self.end is not None and self.tell() >= self.end:
            raise self.store.error
        return super().read(size)

    def seekable(self) -> bool:
        return self.store.seekable


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    store = Store()
    opens = MemoryFileSystem.open

    def open_breaking(system: Any, path: str, mode: str = "rb", **options: Any) -> Any:
        stream = opens(system, path, mode, **options)
        return _Stream(store, stream.read()) if mode == "rb" else stream

    monkeypatch.setattr(MemoryFileSystem, "open", open_breaking)
    yield store
    store.system.store.clear()


def fetch(address: str, out: Path, sha256: str | None = None) -> Origin:
    return fetch_source(address, sha256, out, wait=lambda _: None).origin


def test_an_archive_is_fetched_once_and_unpacked(store: Store, tmp_path: Path) -> None:
    content = zip_file(tmp_path / "made.zip").read_bytes()
    address = store.put("faces.zip", content)
    assert fetch(address, tmp_path / "raw") is Origin.FETCHED
    assert contents(tmp_path / "raw") == FILES
    assert fetch(address, tmp_path / "raw") is Origin.UNCHANGED
    assert fetch(address, tmp_path / "raw", hashlib.sha256(content).hexdigest()) is Origin.PINNED
    assert store.began == [0]


def test_an_object_that_changed_is_fetched_again(store: Store, tmp_path: Path) -> None:
    address = store.put("faces.csv", TABLE)
    fetch(address, tmp_path / "raw")
    store.put("faces.csv", LARGE)
    assert fetch(address, tmp_path / "raw") is Origin.FETCHED
    assert contents(tmp_path / "raw") == {"faces.csv": LARGE}


def test_a_broken_transfer_goes_on_from_where_it_stopped(store: Store, tmp_path: Path) -> None:
    store.breaks = [2 << 20, 3 << 20]
    assert fetch(store.put("faces.csv", LARGE), tmp_path / "raw") is Origin.FETCHED
    assert store.began == [0, 2 << 20, 3 << 20]
    assert contents(tmp_path / "raw") == {"faces.csv": LARGE}


def test_a_broken_transfer_of_an_object_that_changed_begins_anew(store: Store, tmp_path: Path) -> None:
    store.breaks = [2 << 20]
    address = store.put("faces.csv", LARGE)
    changed = LARGE.replace(b"0,0 0 0 0", b"1,1 1 1 1")

    def wait(_: float) -> None:
        store.put("faces.csv", changed)

    fetch_source(address, None, tmp_path / "raw", wait=wait)
    assert store.began == [0, 0]
    assert contents(tmp_path / "raw") == {"faces.csv": changed}


def test_a_stream_that_only_goes_forward_begins_anew(store: Store, tmp_path: Path) -> None:
    store.breaks, store.seekable = [2 << 20], False
    fetch(store.put("faces.csv", LARGE), tmp_path / "raw")
    assert store.began == [0, 0]


def test_a_store_that_always_breaks_says_why_in_one_line(store: Store, tmp_path: Path) -> None:
    store.breaks = [0] * 5
    store.error = RuntimeError("an error\nof another library")
    message = refusal(store.put("faces.csv", TABLE), tmp_path)
    assert "cannot be fetched (an error of another library)" in message


def test_a_refusal_is_not_tried_again(store: Store, tmp_path: Path) -> None:
    store.breaks = [0] * 5
    store.error = PermissionError("Forbidden")
    assert "access denied: Forbidden" in refusal(store.put("faces.csv", TABLE), tmp_path)
    assert len(store.began) == 1


def test_an_object_that_does_not_exist_is_one_line(store: Store, tmp_path: Path) -> None:
    store.put("faces.csv", TABLE)
    message = refusal("memory://bucket/fases.csv", tmp_path)
    assert "cannot be fetched (it does not exist)" in message


def test_a_folder_in_a_store_is_refused(store: Store, tmp_path: Path) -> None:
    store.put("faces/1.png", b"one")
    assert "it is a folder there; pack it as one archive" in refusal("memory://bucket/faces", tmp_path)


@pytest.mark.parametrize(
    ("address", "package", "extra"),
    [
        ("s3://bucket/a.zip", "s3fs", "s3"),
        ("gs://bucket/a.zip", "gcsfs", "gs"),
        ("gcs://b/a.zip", "gcsfs", "gs"),
    ],
)
def test_a_missing_extra_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # an import of it fails
    known = sys.modules["fsspec.registry"]._registry
    monkeypatch.delitem(known, address.partition("://")[0], raising=False)
    message = refusal(address, tmp_path)
    assert f"needs the extra '{extra}', which is not installed: uv pip install -e '.[{extra}]'" in message


def test_a_package_that_is_no_extra_of_ours_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> Any:
        raise ImportError("Install adlfs to access Azure")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    message = refusal("abfs://container/a.zip", tmp_path)
    assert "needs a package that is not installed (Install adlfs to access Azure)" in message


def test_an_unknown_scheme_is_one_line(tmp_path: Path) -> None:
    message = refusal("facebook://faces.zip", tmp_path)
    assert "'facebook' is no kind of address that is known here: use http(s), s3, gs or a path" in message


def test_no_message_of_a_store_shows_credentials(store: Store, tmp_path: Path) -> None:
    store.error = RuntimeError("no answer from sftp://user:hunter2@host/x?token=swordfish")
    store.breaks = [0] * 5
    with pytest.raises(FerflowError) as error:
        fetch(store.put("faces.csv", TABLE), tmp_path / "raw")
    assert "no answer from sftp://host/x?token=***" in str(error.value)
