from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import filelock
import pytest

from ferflow.data.source import Origin, fetch_source
from ferflow.data.source import cache as module
from ferflow.data.source.cache import cache_folder
from ferflow.errors import FerflowError

from .faulty_server import Answer, FaultyServer
from .made import TABLE, contents

SHA256 = hashlib.sha256(TABLE).hexdigest()
OTHER = TABLE + b"1,8 9 10 11,PrivateTest\n"


def fetch(server: FaultyServer, out: Path, sha256: str | None = None) -> Origin:
    fetched = fetch_source(f"{server.address}/fer2013.csv", sha256, out / "raw", wait=lambda _: None)
    assert fetched.sha256 == hashlib.sha256(contents(out / "raw")["fer2013.csv"]).hexdigest()
    return fetched.origin


@pytest.fixture
def filled(server: FaultyServer, tmp_path: Path) -> FaultyServer:
    """A server whose file has been fetched once."""
    server.content = TABLE
    assert fetch(server, tmp_path) is Origin.FETCHED
    server.requests.clear()
    server.sent.clear()
    return server


def test_a_pinned_file_in_the_cache_needs_no_network(filled: FaultyServer, tmp_path: Path) -> None:
    assert fetch(filled, tmp_path, SHA256) is Origin.PINNED
    assert filled.requests == []


@pytest.mark.parametrize("versioned_by", ["etag", "last_modified"])
def test_an_unchanged_file_is_not_sent_again(server: FaultyServer, tmp_path: Path, versioned_by: str) -> None:
    server.content, server.etag = TABLE, None
    setattr(server, versioned_by, '"one"' if versioned_by == "etag" else "Tue, 01 Sep 2026 00:00:00 GMT")
    assert fetch(server, tmp_path) is Origin.FETCHED
    assert fetch(server, tmp_path) is Origin.UNCHANGED
    assert server.statuses == [200, 304]


def test_a_changed_file_is_fetched_and_replaces_the_kept_one(filled: FaultyServer, tmp_path: Path) -> None:
    filled.content, filled.etag = OTHER, '"two"'
    assert fetch(filled, tmp_path) is Origin.FETCHED
    assert contents(tmp_path / "raw") == {"fer2013.csv": OTHER}
    assert fetch(filled, tmp_path) is Origin.UNCHANGED


def test_a_file_whose_version_is_never_told_is_fetched_each_time(
    server: FaultyServer, tmp_path: Path
) -> None:
    server.content, server.etag = TABLE, None
    assert [fetch(server, tmp_path) for _ in range(2)] == [Origin.FETCHED, Origin.FETCHED]


def test_a_kept_file_is_used_where_its_server_fails(
    filled: FaultyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled.answers = [Answer(503)] * 5
    assert fetch(filled, tmp_path) is Origin.UNREACHABLE
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("cannot be reached (503 Service Unavailable): the kept copy is used")


def test_a_file_that_is_gone_is_an_error_though_a_copy_is_kept(filled: FaultyServer, tmp_path: Path) -> None:
    filled.answers = [Answer(404)]
    with pytest.raises(FerflowError, match="404 Not Found"):
        fetch(filled, tmp_path)


def test_a_kept_file_with_another_checksum_does_not_stand_in_for_the_pinned_one(
    filled: FaultyServer, tmp_path: Path
) -> None:
    filled.answers = [Answer(503)] * 5
    with pytest.raises(FerflowError, match="cannot be fetched"):
        fetch(filled, tmp_path, "0" * 64)


def test_a_kept_file_with_another_checksum_than_the_pinned_one_is_fetched_again(
    filled: FaultyServer, tmp_path: Path
) -> None:
    # The version is the same: what was kept is not what the server has.
    filled.content = OTHER
    assert fetch(filled, tmp_path, hashlib.sha256(OTHER).hexdigest()) is Origin.FETCHED


@pytest.mark.parametrize("pinned", [None, SHA256])
def test_a_damaged_kept_file_is_fetched_again(
    filled: FaultyServer, tmp_path: Path, cache: Path, pinned: str | None
) -> None:
    next(cache.rglob("content")).write_bytes(TABLE.replace(b"3", b"4"))
    assert fetch(filled, tmp_path, pinned) is Origin.FETCHED
    assert contents(tmp_path / "raw") == {"fer2013.csv": TABLE}


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"address": 1}'])
def test_a_kept_file_of_which_nothing_is_known_is_fetched_again(
    filled: FaultyServer, tmp_path: Path, cache: Path, record: str
) -> None:
    next(cache.rglob("record.json")).write_text(record, encoding="utf-8")
    assert fetch(filled, tmp_path) is Origin.FETCHED


def test_a_file_that_cannot_be_unpacked_is_fetched_again_by_the_next_run(
    server: FaultyServer, tmp_path: Path
) -> None:
    server.content = TABLE[:10]  # without a length, nobody sees that the rest is missing
    server.answers = [Answer(announces_length=False)]
    with pytest.raises(FerflowError, match="neither a zip nor a tar"):
        fetch(server, tmp_path)
    server.content = TABLE
    assert fetch(server, tmp_path) is Origin.FETCHED
    assert server.statuses == [200, 200]


def test_each_address_is_kept_by_itself(server: FaultyServer, tmp_path: Path) -> None:
    for name, content in {"a": TABLE, "b": OTHER}.items():
        server.content = content
        address = f"{server.address}/fer2013.csv?token={name}"
        fetch_source(address, None, tmp_path / name)
        assert contents(tmp_path / name) == {"fer2013.csv": content}


def test_an_entry_is_the_file_and_what_is_known_of_it_without_credentials(
    filled: FaultyServer, tmp_path: Path, cache: Path
) -> None:
    address = filled.address.replace("://", "://user:hunter2@") + "/a.csv?token=swordfish"
    fetch_source(address, None, tmp_path / "raw")
    for folder in (cache / "downloads").iterdir():
        assert {path.name for path in folder.iterdir()} == {"content", "record.json", "lock"}
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        assert record["sha256"] == SHA256
        assert record["validators"] == {"ETag": '"one"'}
        assert record["address"].startswith(filled.address)
    everything = b"".join(path.read_bytes() for path in cache.rglob("*") if path.is_file())
    assert b"hunter2" not in everything
    assert b"swordfish" not in everything


def test_a_second_process_waits_for_the_first_and_then_uses_what_it_fetched(
    filled: FaultyServer, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, said, origins = threading.Event(), [], []

    def note(line: str, **_: object) -> None:
        said.append(line)
        waits.set()

    monkeypatch.setattr(module, "print", note, raising=False)
    with filelock.FileLock(next(cache.rglob("lock"))):
        second = threading.Thread(target=lambda: origins.append(fetch(filled, tmp_path, SHA256)))
        second.start()
        assert waits.wait(10)
        assert origins == []
    second.join(10)
    assert origins == [Origin.PINNED]
    assert said == [f"{filled.address}/fer2013.csv: another process is fetching it; waiting"]


def test_fetches_at_the_same_time_transfer_once(server: FaultyServer, tmp_path: Path) -> None:
    server.content = TABLE
    origins: list[Origin] = []
    threads = [
        threading.Thread(target=lambda out=out: origins.append(fetch(server, tmp_path / out)))
        for out in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(origin.name for origin in origins) == ["FETCHED", *["UNCHANGED"] * 3]
    assert len(server.sent) == 1


def test_a_cache_that_cannot_be_written_is_one_line(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("FERFLOW_CACHE", str(tmp_path / "file"))
    with pytest.raises(FerflowError, match="set FERFLOW_CACHE to another folder") as error:
        fetch_source(server.address, None, tmp_path / "raw")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"FERFLOW_CACHE": "/chosen", "XDG_CACHE_HOME": "/xdg"}, "/chosen"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/ferflow"),
        ({"FERFLOW_CACHE": "", "XDG_CACHE_HOME": ""}, "/home/somebody/.cache/ferflow"),
        ({}, "/home/somebody/.cache/ferflow"),
    ],
)
def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str) -> None:
    for name in ("FERFLOW_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)
