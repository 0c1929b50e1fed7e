from __future__ import annotations

import gzip
import shutil
import stat
import struct
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from ferflow.data.source import checks
from ferflow.files import sha256_of_file

from .made import FILES, bring, contents, refusal, tar_file, tar_with, zip_file


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_is_unpacked_with_its_folders(tmp_path: Path, compression: int) -> None:
    archive = zip_file(tmp_path / "faces.zip", compression=compression)
    assert bring(archive, tmp_path / "raw") == sha256_of_file(archive)
    assert contents(tmp_path / "raw") == FILES


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_a_tar_is_unpacked_with_its_folders_whatever_its_name(tmp_path: Path, compression: str) -> None:
    archive = tar_file(tmp_path / "faces.csv", compression=compression)
    checksum = sha256_of_file(archive)
    assert bring(archive, tmp_path / "new" / "raw", sha256=checksum) == checksum
    assert contents(tmp_path / "new" / "raw") == FILES


def test_the_modes_of_a_tar_do_not_come_along(tmp_path: Path) -> None:
    bring(tar_file(tmp_path / "faces.tar", mode=0o4755), tmp_path / "raw")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "raw").rglob("*.png")}
    assert modes == {0o644}


def test_an_archive_replaces_what_another_left(tmp_path: Path) -> None:
    bring(zip_file(tmp_path / "old.zip"), tmp_path / "raw")
    bring(zip_file(tmp_path / "new.zip", {"sad/1.png": b"new"}), tmp_path / "raw")
    assert contents(tmp_path / "raw") == {"sad/1.png": b"new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.zip", "old.zip", "raw"]


def test_folders_that_a_zip_separates_by_backslashes_are_folders(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "windows.zip", {"train\\happy\\": b"", "train\\happy\\1.png": b"one"})
    bring(archive, tmp_path / "raw")
    assert contents(tmp_path / "raw") == {"train/happy/1.png": b"one"}


def test_a_tar_whose_last_member_is_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = zip_file(tmp_path / "inner.zip", {"x": b"inner"}).read_bytes()
    bring(tar_file(tmp_path / "faces", {"1.png": b"one", "inner.zip": inner}, ""), tmp_path / "raw")
    assert contents(tmp_path / "raw") == {"1.png": b"one", "inner.zip": inner}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>\nPlease log in, please\nLog in, please</html>",
        b"PK\x03\x04",
        bytes(10_240),
        b"\xff\xd8\xff\xe0\0",
    ],
    ids=["empty", "web page", "head of a zip", "zeros", "image"],
)
def test_a_file_of_no_known_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "faces.zip").write_bytes(content)
    assert "is neither a zip nor a tar archive nor a table" in refusal(tmp_path / "faces.zip", tmp_path)


@pytest.mark.parametrize(
    ("magic", "name"),
    [(b"7z\xbc\xaf\x27\x1c\0\x04", "7z"), (b"Rar!\x1a\x07\x01\0", "rar"), (b"\x28\xb5\x2f\xfd\x04", "zstd")],
)
def test_an_archive_of_another_kind_says_what_to_do(tmp_path: Path, magic: bytes, name: str) -> None:
    (tmp_path / "faces.zip").write_bytes(magic)
    message = refusal(tmp_path / "faces.zip", tmp_path)
    assert f"is packed as {name}, which is not read here: unpack it, and give the folder" in message


@pytest.mark.parametrize("make", [zip_file, tar_file])
def test_an_archive_without_a_file_is_refused(tmp_path: Path, make: object) -> None:
    assert callable(make)
    if make is zip_file:
        archive = zip_file(tmp_path / "faces", {"happy/": b""})
    else:
        archive = tar_with(tmp_path / "faces", "happy", tarfile.DIRTYPE)
    assert refusal(archive, tmp_path).endswith("holds no file.")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz"])
def test_a_truncated_archive_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "faces"
    archive = zip_file(path) if kind == "zip" else tar_file(path, compression=kind)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(share * len(whole))])
    message = refusal(archive, tmp_path)
    assert "is neither a zip nor a tar archive" in message or "cannot be unpacked" in message


#: The blocks of 512 bytes of a tar of three files, which tarfile pads to 20.
_TAR = {"happy/1.png": b"x" * 700, "happy/2.png": b"y" * 512, "sad/3.png": b"z"}
_END = 1 + 2 + 1 + 1 + 1 + 1


@pytest.mark.parametrize("cut", [*range(1, _END * 512, 256), *range(512, _END * 512 + 1, 512)])
@pytest.mark.parametrize("compression", ["", "gz"])
def test_a_tar_that_ends_before_its_end_is_refused(tmp_path: Path, cut: int, compression: str) -> None:
    archive = tar_file(tmp_path / "faces", _TAR, "")
    whole = archive.read_bytes()
    assert any(whole[(_END - 1) * 512 : _END * 512])
    assert not any(whole[_END * 512 :])
    archive.write_bytes(gzip.compress(whole[:cut]) if compression else whole[:cut])
    message = refusal(archive, tmp_path)
    assert "is neither a zip nor a tar archive" in message or "it is damaged" in message


def test_a_tar_may_lack_the_zeros_that_fill_its_last_record(tmp_path: Path) -> None:
    archive = tar_file(tmp_path / "faces", _TAR, "")
    archive.write_bytes(archive.read_bytes()[: (_END + 1) * 512])
    bring(archive, tmp_path / "raw")
    assert contents(tmp_path / "raw") == _TAR


def test_a_tar_with_a_damaged_header_in_the_middle_is_refused(tmp_path: Path) -> None:
    archive = tar_file(tmp_path / "faces", _TAR, "")
    content = bytearray(archive.read_bytes())
    content[3 * 512 : 3 * 512 + 5] = b"HAPPY"
    archive.write_bytes(content)
    assert "cannot be unpacked (bad checksum at byte 1,536)" in refusal(archive, tmp_path)


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
    assert "cannot be unpacked (" in refusal(archive, tmp_path)


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
    monkeypatch.setattr(checks, "MAX_EXPANSION", 1)
    archive = tar_file(tmp_path / "bomb.tar.gz", {"happy/1.png": bytes(2 << 20)})
    assert "would unpack to 2,097,152 bytes" in refusal(archive, tmp_path)


def test_an_archive_for_which_the_disk_has_no_room_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    message = refusal(zip_file(tmp_path / "faces.zip"), tmp_path)
    assert "needs 20,006 bytes; only 1,000 are free" in message
