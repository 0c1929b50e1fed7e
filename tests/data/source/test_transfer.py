from __future__ import annotations

import gzip
import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferflow.data.source import Origin, fetch_source, transfer
from ferflow.errors import FerflowError

from .faulty_server import Answer, FaultyServer
from .made import FILES, bring, contents, refusal, zip_file

TABLE = b"name,noise\n" + b"".join(
    b"%d,%s\n" % (row, np.random.default_rng(row).bytes(500).hex().encode()) for row in range(300)
)
SHA256 = hashlib.sha256(TABLE).hexdigest()
DROP = Answer(drop_after=200_000)

Fetch = Callable[[], tuple[Origin, list[float]]]


@pytest.fixture
def fetch(server: FaultyServer, tmp_path: Path) -> Fetch:
    """Fetch the table and return where it came from, and how long was waited between attempts."""
    server.content = TABLE

    def run() -> tuple[Origin, list[float]]:
        waits: list[float] = []
        fetched = fetch_source(f"{server.address}/table.csv", None, tmp_path / "raw", wait=waits.append)
        expected = hashlib.sha256(server.content).hexdigest()
        assert fetched.sha256 == expected
        assert contents(tmp_path / "raw") == {"table.csv": server.content}
        return fetched.origin, waits

    return run


def test_an_archive_is_fetched_and_leaves_nothing_but_its_content(
    tmp_path: Path, server: FaultyServer
) -> None:
    server.content = zip_file(tmp_path / "served.zip").read_bytes()
    bring(f"{server.address}/faces", tmp_path / "data" / "raw", hashlib.sha256(server.content).hexdigest())
    assert contents(tmp_path / "data" / "raw") == FILES
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["raw"]


def test_a_broken_transfer_goes_on_from_where_it_stopped(
    server: FaultyServer, fetch: Fetch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [DROP, Answer(drop_after=70_000)]
    assert fetch() == (Origin.FETCHED, [0.5, 1.0])
    assert server.statuses == [200, 206, 206]
    assert server.requests[1]["If-Range"] == server.etag
    # What came last before the break may be lost, no more.
    assert sum(server.sent) < len(TABLE) + 2 * 65_536
    assert "it ended early; trying again after 200,000 bytes" in capsys.readouterr().err


def test_a_transfer_goes_on_by_date_where_a_version_has_no_strong_tag(
    server: FaultyServer, fetch: Fetch
) -> None:
    server.etag, server.last_modified = 'W/"weak"', "Tue, 01 Sep 2026 00:00:00 GMT"
    server.answers = [DROP]
    fetch()
    assert server.requests[1]["If-Range"] == server.last_modified
    assert server.statuses == [200, 206]


@pytest.mark.parametrize("etag", ['W/"weak"', None])
def test_a_transfer_whose_version_cannot_be_told_begins_anew(
    server: FaultyServer, fetch: Fetch, etag: str | None
) -> None:
    server.etag = etag
    server.answers = [DROP]
    fetch()
    assert "Range" not in server.requests[1]
    assert server.statuses == [200, 200]


@pytest.mark.parametrize(
    ("answer", "statuses"),
    [
        (Answer(knows_ranges=False), [200, 200]),
        (Answer(etag='"two"'), [200, 200]),
        # It sends a part of another version: nothing of it may be used.
        (Answer(etag='"two"', looks_at_if_range=False), [200, 206, 200]),
    ],
    ids=["no ranges", "another version", "another version, unasked"],
)
def test_a_server_that_cannot_go_on_begins_anew(
    server: FaultyServer, fetch: Fetch, answer: Answer, statuses: list[int]
) -> None:
    server.answers = [DROP, answer]
    assert fetch() == (Origin.FETCHED, [0.5])
    assert server.statuses == statuses


def test_a_file_that_became_shorter_than_what_is_here_begins_anew(server: FaultyServer, fetch: Fetch) -> None:
    server.answers = [Answer(drop_after=250_000), Answer(looks_at_if_range=False)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "_WAITS_SECONDS", ())
        with pytest.raises(FerflowError):
            fetch()
    server.content = TABLE[:100_000].rpartition(b"\n")[0]
    assert fetch() == (Origin.FETCHED, [])
    assert server.statuses == [200, 416, 200]


def test_an_interrupted_transfer_goes_on_in_the_next_run(
    server: FaultyServer, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Interrupted:
        updates = 0

        def __enter__(self) -> Interrupted:
            return self

        def __exit__(self, *_: object) -> None: ...

        def update(self, _: int) -> None:
            self.updates += 1
            if self.updates == 4:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "progress", lambda **_: Interrupted())
        with pytest.raises(KeyboardInterrupt):
            fetch()
    assert not (tmp_path / "raw").exists()
    assert fetch() == (Origin.FETCHED, [])
    assert server.statuses == [200, 206]
    assert server.requests[1]["Range"] == "bytes=196608-"


def test_what_is_left_of_an_unknown_version_is_not_gone_on_with(
    server: FaultyServer, fetch: Fetch, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_WAITS_SECONDS", ())
    server.answers = [DROP]
    with pytest.raises(FerflowError):
        fetch()
    next(cache.rglob("partial.json")).write_text("[", encoding="utf-8")
    fetch()
    assert server.statuses == [200, 200]


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_a_failure_that_may_pass_is_tried_again(server: FaultyServer, fetch: Fetch, status: int) -> None:
    server.answers = [Answer(status), Answer(status)]
    assert fetch() == (Origin.FETCHED, [0.5, 1.0])


def test_it_is_tried_five_times(server: FaultyServer, tmp_path: Path) -> None:
    server.answers = [Answer(503)] * 9
    waits: list[float] = []
    with pytest.raises(FerflowError, match=r"cannot be fetched \(503 Service Unavailable\)"):
        fetch_source(server.address, None, tmp_path / "raw", wait=waits.append)
    assert waits == [0.5, 1.0, 2.0, 4.0]
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "Unauthorized"), (403, "Forbidden"), (404, "Not Found"), (410, "Gone")]
)
def test_a_failure_that_will_not_pass_is_tried_once(
    tmp_path: Path, server: FaultyServer, status: int, reason: str
) -> None:
    server.answers = [Answer(status)] * 2
    message = refusal(f"{server.address}/faces.zip", tmp_path)
    assert f"cannot be fetched ({status} {reason}): check the address" in message
    assert len(server.requests) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_transfer_that_always_ends_early_is_noticed_as_such(
    tmp_path: Path, server: FaultyServer, chunked: bool
) -> None:
    server.content = zip_file(tmp_path / "served.zip").read_bytes()
    server.answers = [Answer(drop_after=1000, chunked=chunked)] * 5
    assert "cannot be fetched (" in refusal(f"{server.address}/faces.zip", tmp_path)


@pytest.mark.parametrize("answer", [Answer(chunked=True), Answer(announces_length=False)])
def test_a_length_need_not_be_announced(server: FaultyServer, fetch: Fetch, answer: Answer) -> None:
    server.answers = [answer]
    assert fetch() == (Origin.FETCHED, [])


def test_no_compression_is_asked_for(server: FaultyServer, fetch: Fetch) -> None:
    fetch()
    assert server.requests[0]["Accept-Encoding"] == "identity"


def test_a_server_that_compresses_all_the_same_is_counted_by_what_it_sends(
    server: FaultyServer, tmp_path: Path
) -> None:
    server.content = TABLE
    server.answers = [Answer(gzipped=True, drop_after=100_000), Answer(gzipped=True)]
    fetched = fetch_source(f"{server.address}/table.csv", None, tmp_path / "raw", wait=lambda _: None)
    assert fetched.sha256 == hashlib.sha256(gzip.compress(TABLE, mtime=0)).hexdigest()
    assert server.statuses == [200, 206]
    assert contents(tmp_path / "raw") == {"table.csv": TABLE}


def test_a_fetched_file_with_another_checksum_is_refused(tmp_path: Path, server: FaultyServer) -> None:
    server.content = TABLE
    message = refusal(f"{server.address}/table.csv", tmp_path, sha256="0" * 64)
    assert f"has sha256 {SHA256}, expected {'0' * 64}" in message


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as taken:
        # Bound, but nobody listens: no other process can answer there.
        taken.bind(("127.0.0.1", 0))
        message = refusal(f"http://127.0.0.1:{taken.getsockname()[1]}/faces.zip", tmp_path)
    assert "refused" in message
    assert "urllib3" not in message


@pytest.mark.parametrize("address", ["http://", "http://[::1/faces.zip", "https://:80/faces.zip"])
def test_an_address_that_is_none_is_one_line(tmp_path: Path, address: str) -> None:
    assert "cannot be fetched (" in refusal(address, tmp_path)


def test_no_message_shows_credentials(
    tmp_path: Path, server: FaultyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [Answer(503), Answer(404)]
    address = server.address.replace("://", "://user:hunter2@") + "/faces.zip?token=swordfish"
    with pytest.raises(FerflowError) as error:
        fetch_source(address, None, tmp_path / "raw", wait=lambda _: None)
    shown = str(error.value) + capsys.readouterr().err
    assert "503" in shown
    assert "404" in shown
    assert not any(secret in shown for secret in ("hunter2", "swordfish"))


def test_a_disk_without_room_stops_a_transfer_before_it_begins(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = TABLE

    def no_room(source: str, needed: int, _: Path) -> None:
        raise FerflowError(f"{source} needs {needed:,} bytes")

    monkeypatch.setattr(transfer, "check_room", no_room)
    assert f"needs {len(TABLE):,} bytes" in refusal(f"{server.address}/table.csv", tmp_path)
