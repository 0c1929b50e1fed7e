from __future__ import annotations

import http.server
import io
import shutil
import socket
import stat
import struct
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ferflow.data import download as module
from ferflow.data.download import download
from ferflow.errors import FerflowError
from ferflow.files import sha256_of_file

NOISE = np.random.default_rng(0).bytes(20_000)
FILES = {
    "train/happy/1.png": b"one",
    "train/happy/2.png": b"two",
    "test/glücklich/3 é.png": NOISE,
    "readme.txt": b"",
}


def zip_file(
    path: Path,
    files: Mapping[str, bytes] = FILES,
    compression: int = zipfile.ZIP_DEFLATED,
    mode: int = 0o100644,
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, content, compression)
    return path


def tar_file(path: Path, files: Mapping[str, bytes] = FILES, compression: str = "gz") -> Path:
    with tarfile.open(path, f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def tar_with(path: Path, name: str, kind: bytes, target: str = "") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        archive.addfile(member)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def refusal(source: str | Path, folder: Path, sha256: str | None = None) -> str:
    """Return the message of a download that fails, once it is sure that it left everything as it was."""
    out = folder / "data" / "raw"
    (out / "happy").mkdir(parents=True)
    (out / "happy" / "old.png").write_bytes(b"old")
    before = sorted(folder.rglob("*"))
    with pytest.raises(FerflowError) as error:
        download(str(source), sha256, out)
    assert sorted(folder.rglob("*")) == before
    assert contents(out) == {"happy/old.png": b"old"}
    message = str(error.value)
    assert "\n" not in message
    assert str(source) in message
    return message


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_is_unpacked_with_its_folders(tmp_path: Path, compression: int) -> None:
    archive = zip_file(tmp_path / "faces.zip", compression=compression)
    assert download(str(archive), None, tmp_path / "raw") == sha256_of_file(archive)
    assert contents(tmp_path / "raw") == FILES


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_a_tar_is_unpacked_with_its_folders_whatever_its_name(tmp_path: Path, compression: str) -> None:
    archive = tar_file(tmp_path / "faces", compression=compression)
    assert download(str(archive), sha256_of_file(archive), tmp_path / "new" / "raw") == sha256_of_file(
        archive
    )
    assert contents(tmp_path / "new" / "raw") == FILES


def test_an_archive_replaces_what_another_left(tmp_path: Path) -> None:
    download(str(zip_file(tmp_path / "old.zip")), None, tmp_path / "raw")
    download(str(zip_file(tmp_path / "new.zip", {"sad/1.png": b"new"})), None, tmp_path / "raw")
    assert contents(tmp_path / "raw") == {"sad/1.png": b"new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.zip", "old.zip", "raw"]


def test_folders_that_a_zip_separates_by_backslashes_are_folders(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "windows.zip", {"train\\happy\\": b"", "train\\happy\\1.png": b"one"})
    download(str(archive), None, tmp_path / "raw")
    assert contents(tmp_path / "raw") == {"train/happy/1.png": b"one"}


def test_a_wrong_checksum_is_refused_with_both(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "faces.zip")
    message = refusal(archive, tmp_path, sha256="0" * 64)
    assert f"has sha256 {sha256_of_file(archive)}, expected {'0' * 64}" in message


def test_a_missing_archive_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "faces.zip", tmp_path)


def test_a_folder_as_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    assert "is not a file" in refusal(tmp_path / "faces", tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>Please log in</html>", b"PK\x03\x04", b"\x1f\x8b\x08"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "faces.zip").write_bytes(content)
    message = refusal(tmp_path / "faces.zip", tmp_path)
    assert "is neither a zip nor a tar archive" in message or "cannot be unpacked" in message


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz"])
def test_a_truncated_archive_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "faces"
    archive = zip_file(path) if kind == "zip" else tar_file(path, compression=kind)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(share * len(whole))])
    message = refusal(archive, tmp_path)
    assert "is neither a zip nor a tar archive" in message or "cannot be unpacked" in message


@pytest.mark.parametrize("kind", ["stored", "deflated", "bzip2", "lzma", "gz", "bz2", "xz"])
def test_a_damaged_archive_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "faces"
    files = {"happy/1.png": "".join(map(str, range(6000))).encode()}
    if hasattr(zipfile, f"ZIP_{kind.upper()}"):
        archive = zip_file(path, files, getattr(zipfile, f"ZIP_{kind.upper()}"))
    else:
        archive = tar_file(path, files, kind)
    content = bytearray(archive.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xff" * 40
    archive.write_bytes(content)
    message = refusal(archive, tmp_path)
    # A small bzip2 or xz is one block, which is already unreadable where it begins.
    reason = "or it is damaged" if kind in {"bz2", "xz"} else "cannot be unpacked ("
    assert reason in message


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "faces.zip", {"happy/1.png": b"secret"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    message = refusal(archive, tmp_path)
    assert "happy/1.png" in message
    assert "encrypted" in message


@pytest.mark.parametrize("garbled", [b"\xff\xff.png", b"\0\0.png"], ids=["not UTF-8", "empty"])
def test_a_zip_with_a_garbled_name_is_refused(tmp_path: Path, garbled: bytes) -> None:
    archive = zip_file(tmp_path / "faces.zip", {"é.png": b"one"})
    archive.write_bytes(archive.read_bytes().replace("é.png".encode(), garbled))
    assert "cannot be unpacked (" in refusal(archive, tmp_path)


def test_a_zip_whose_member_begins_with_no_valid_block_is_refused(tmp_path: Path) -> None:
    name = "happy/1.png"
    archive = zip_file(tmp_path / "faces.zip", {name: bytes(1000)})
    content = bytearray(archive.read_bytes())
    content[30 + len(name)] = 0xFF  # behind the member's header: a type of block that deflate lacks
    archive.write_bytes(content)
    assert "invalid block type" in refusal(archive, tmp_path)


def test_a_member_that_needs_a_folder_where_a_file_lies_is_refused(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "faces.zip", {"happy": b"a file", "happy/1.png": b"one"})
    assert "cannot be unpacked (" in refusal(archive, tmp_path)


@pytest.mark.parametrize("make", [zip_file, tar_file])
@pytest.mark.parametrize(
    "name",
    [
        "../x.png",
        "happy/../../x.png",
        "..\\x.png",
        "/tmp/x.png",  # noqa: S108 - never written
        "\\x.png",
        "C:/x.png",
        "C:\\x.png",
    ],
)
def test_a_member_outside_of_the_folder_is_refused_by_name(tmp_path: Path, make: object, name: str) -> None:
    assert callable(make)
    archive = make(tmp_path / "faces", {"happy/1.png": b"one", name: b"escaped"})
    message = refusal(archive, tmp_path)
    assert name.replace("\\", "/") in message.replace("\\", "/")
    assert "outside of its folder; refused" in message


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "1.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_symbolic_link_is_refused_wherever_it_leads(tmp_path: Path, kind: str, target: str) -> None:
    if kind == "zip":
        archive = zip_file(tmp_path / "faces", {"happy/link.png": target.encode()}, mode=stat.S_IFLNK | 0o777)
    else:
        archive = tar_with(tmp_path / "faces", "happy/link.png", tarfile.SYMTYPE, target)
    assert "member 'happy/link.png' is a link or device; refused" in refusal(archive, tmp_path)


@pytest.mark.parametrize(
    ("kind", "target"),
    [(tarfile.LNKTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "../../secret"), (tarfile.FIFOTYPE, "")],
    ids=["absolute hard link", "hard link outside", "pipe"],
)
def test_other_special_members_of_a_tar_are_refused(tmp_path: Path, kind: bytes, target: str) -> None:
    message = refusal(tar_with(tmp_path / "faces", "happy/odd.png", kind, target), tmp_path)
    assert "happy/odd.png" in message
    assert message.endswith("; refused.")


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    archive = tar_file(tmp_path / "faces", {"happy/gr\udcfcn.png": b"one"})
    assert r"'happy/gr\udcfcn.png' is not UTF-8" in refusal(archive, tmp_path)


def test_a_small_zip_that_declares_to_be_huge_is_refused(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "bomb.zip", {"happy/1.png": b"one"})
    content = bytearray(archive.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 2**31)
    archive.write_bytes(content)
    assert f"would unpack to {2**31:,} bytes" in refusal(archive, tmp_path)


def test_a_tar_that_expands_too_far_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_EXPANSION", 1)
    archive = tar_file(tmp_path / "bomb.tar.gz", {"happy/1.png": bytes(2 << 20)})
    assert "would unpack to 2,097,152 bytes" in refusal(archive, tmp_path)


def test_an_archive_for_which_the_disk_has_no_room_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    message = refusal(zip_file(tmp_path / "faces.zip"), tmp_path)
    assert "needs 20,006 bytes; only 1,000 are free" in message


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive = b""

    def do_GET(self) -> None:
        if self.path == "/missing.zip":
            self.send_error(404)
            return
        cut = len(self.archive) if self.path == "/faces.zip" else len(self.archive) // 2
        self.close_connection = True
        self.send_response(200)
        if self.path == "/chunked.zip":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n" % (cut, self.archive[:cut]))
        else:
            self.send_header("Content-Length", str(len(self.archive)))
            self.end_headers()
            self.wfile.write(self.archive[:cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_Handler, "archive", zip_file(tmp_path / "served.zip").read_bytes())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http_server:
        thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http_server.server_port}"
        http_server.shutdown()
        thread.join()


def test_an_archive_is_fetched_and_leaves_nothing_but_its_content(tmp_path: Path, server: str) -> None:
    expected = sha256_of_file(tmp_path / "served.zip")
    assert download(f"{server}/faces.zip", expected, tmp_path / "data" / "raw") == expected
    assert contents(tmp_path / "data" / "raw") == FILES
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["raw"]


def test_a_fetched_archive_with_another_checksum_is_refused(tmp_path: Path, server: str) -> None:
    assert "expected 000" in refusal(f"{server}/faces.zip", tmp_path, sha256="0" * 64)


def test_an_address_that_leads_nowhere_is_one_line(tmp_path: Path, server: str) -> None:
    message = refusal(f"{server}/missing.zip", tmp_path)
    assert "cannot be fetched (404 Client Error: Not Found)" in message


@pytest.mark.parametrize("name", ["cut.zip", "chunked.zip"])
def test_a_transfer_that_ends_early_is_noticed_as_such(tmp_path: Path, server: str, name: str) -> None:
    assert f"{name} cannot be fetched (" in refusal(f"{server}/{name}", tmp_path)


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


@pytest.mark.parametrize("address", ["ftp://host/faces.zip", "file:///faces.zip", "s3://bucket/faces.zip"])
def test_other_protocols_are_refused(tmp_path: Path, address: str) -> None:
    assert "only http(s) addresses and local paths" in refusal(address, tmp_path)
