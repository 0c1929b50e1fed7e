from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from ferflow.data.source import Origin, fetch_source, folders, local_sha256
from ferflow.errors import FerflowError
from ferflow.files import sha256_of_file

from .made import FILES, bring, contents, folder_of, refusal, zip_file

BY_PRODUCTS = {
    ".DS_Store": b"window",
    "train/Thumbs.db": b"pictures",
    "train/happy/desktop.ini": b"icon",
    "__MACOSX/train/._1.png": b"fork",
    "train/happy/._1.png": b"fork",
    "train/._happy/1.png": b"fork",
    "train/ehthumbs.db": b"pictures",
    "train/Icon\r": b"icon",
}


def test_a_folder_is_copied_and_has_the_checksum_that_pins_it(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "faces")
    fetched = fetch_source(str(source), local_sha256(str(source)), tmp_path / "data" / "raw")
    assert contents(tmp_path / "data" / "raw") == FILES == contents(source)
    assert fetched.sha256 == local_sha256(str(source))
    assert fetched.origin is Origin.LOCAL
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["raw"]


def test_a_copy_has_ordinary_modes_and_shares_nothing_with_its_source(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "faces", {"happy/1.png": b"one"})
    (source / "happy" / "1.png").chmod(0o500)
    bring(source, tmp_path / "raw")
    copy = (tmp_path / "raw" / "happy" / "1.png").stat()
    assert not copy.st_mode & stat.S_IXUSR
    assert copy.st_mode & stat.S_IWUSR
    assert copy.st_nlink == 1


def test_the_checksum_is_of_names_and_bytes_alone(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "one", FILES)
    second = folder_of(tmp_path / "two" / "deep", dict(reversed(FILES.items())))
    for path in second.rglob("*.png"):
        path.chmod(0o755)
        os.utime(path, (0, 0))
    (second / "empty").mkdir()
    assert local_sha256(str(first)) == local_sha256(str(second)) == local_sha256(f"file://{second}")


@pytest.mark.parametrize(
    "files",
    [
        FILES | {"train/happy/1.png": b"ane"},
        FILES | {"extra.png": b""},
        {name.replace("happy", "sad"): content for name, content in FILES.items()},
        {name: content for name, content in FILES.items() if name != "readme.txt"},
        FILES | {"train/happy/1.png": b"two", "train/happy/2.png": b"one"},
    ],
    ids=["a byte", "a file more", "another name", "a file less", "swapped"],
)
def test_the_checksum_changes_with_the_content(tmp_path: Path, files: dict[str, bytes]) -> None:
    before = local_sha256(str(folder_of(tmp_path / "one", FILES)))
    assert local_sha256(str(folder_of(tmp_path / "two", files))) != before


def test_an_accent_counts_the_same_however_a_file_system_writes_it(tmp_path: Path) -> None:
    composed = folder_of(tmp_path / "one", {"é.png": b"one"})
    decomposed = folder_of(tmp_path / "two", {"e\u0301.png": b"one"})
    assert local_sha256(str(composed)) == local_sha256(str(decomposed))


def test_by_products_are_copied_but_do_not_change_the_checksum(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "faces")
    before = bring(source, tmp_path / "raw")
    folder_of(source, BY_PRODUCTS)
    assert local_sha256(str(source)) == before
    assert bring(source, tmp_path / "raw", sha256=before) == before
    assert contents(tmp_path / "raw") == FILES | BY_PRODUCTS


def test_a_folder_with_another_checksum_is_refused_with_both(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "faces")
    message = refusal(source, tmp_path, sha256="0" * 64)
    assert f"has sha256 {local_sha256(str(source))}, expected {'0' * 64}" in message


def test_a_link_to_a_file_inside_is_copied_as_that_file(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "faces", {"happy/1.png": b"one"})
    (source / "happy" / "2.png").symlink_to("1.png")
    checksum = bring(source, tmp_path / "raw")
    assert contents(tmp_path / "raw") == {"happy/1.png": b"one", "happy/2.png": b"one"}
    assert not (tmp_path / "raw" / "happy" / "2.png").is_symlink()
    assert checksum == local_sha256(str(tmp_path / "raw"))


def test_a_folder_may_be_given_by_a_link(tmp_path: Path) -> None:
    folder_of(tmp_path / "disk" / "faces")
    (tmp_path / "faces").symlink_to(tmp_path / "disk" / "faces")
    bring(tmp_path / "faces", tmp_path / "raw")
    assert contents(tmp_path / "raw") == FILES


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("../../secret.png", "leads out of the folder; refused: copy the folder with its links followed"),
        ("../../elsewhere", "leads out of the folder; refused"),
        ("../happy", "leads to a folder; refused"),
        (".", "leads to a folder; refused"),
        ("nowhere.png", "leads nowhere: remove it"),
        ("link.png", "leads nowhere: remove it"),
    ],
)
def test_other_links_in_a_folder_are_refused(tmp_path: Path, target: str, reason: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "elsewhere").mkdir()
    source = folder_of(tmp_path / "faces", {"happy/1.png": b"one", "sad/2.png": b"two"})
    (source / "sad" / "link.png").symlink_to(target)
    with pytest.raises(FerflowError, match=f"the link 'sad/link.png' {reason}"):
        local_sha256(str(source))
    assert f"the link 'sad/link.png' {reason}" in refusal(source, tmp_path)


def test_a_pipe_in_a_folder_is_refused(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "faces")
    os.mkfifo(source / "train" / "pipe.png")
    assert "'train/pipe.png' is neither a file nor a folder; refused" in refusal(source, tmp_path)


def test_a_pipe_as_source_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "faces.zip")
    assert "is neither a file nor a folder" in refusal(tmp_path / "faces.zip", tmp_path)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "faces")
    try:
        (source / "gr\udcfcn.png").write_bytes(b"one")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    assert r"'gr\udcfcn.png' is not UTF-8" in refusal(source, tmp_path)


def test_a_folder_without_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "faces" / "happy").mkdir(parents=True)
    assert refusal(tmp_path / "faces", tmp_path).endswith("holds no file.")


def test_a_folder_for_which_the_disk_has_no_room_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert "needs 20,006 bytes; only 1,000 are free" in refusal(folder_of(tmp_path / "faces"), tmp_path)


def test_a_file_that_cannot_be_read_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder_of(tmp_path / "faces")

    def denied(path: Path, *_: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(folders, "_copy_file", denied)
    assert f"Permission denied: '{source}/readme.txt'" in refusal(source, tmp_path)
    monkeypatch.setattr(folders, "sha256_of_file", denied)
    with pytest.raises(FerflowError, match="Permission denied"):
        local_sha256(str(source))


@pytest.mark.parametrize("inside", ["data/raw", "data/raw/happy"])
def test_a_source_that_the_raw_folder_would_replace_is_refused(tmp_path: Path, inside: str) -> None:
    assert "which is about to be replaced" in refusal(tmp_path / inside, tmp_path)


@pytest.mark.parametrize("around", ["data", "."])
def test_a_folder_around_the_raw_folder_is_refused(tmp_path: Path, around: str) -> None:
    assert "where it is to be copied" in refusal(tmp_path / around, tmp_path)


def test_an_archive_inside_the_raw_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    archive = zip_file(tmp_path / "raw" / "faces.zip")
    with pytest.raises(FerflowError, match="which is about to be replaced"):
        fetch_source(str(archive), None, tmp_path / "raw")
    assert archive.is_file()


def test_the_checksum_that_pins_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "faces.zip")
    assert local_sha256(str(archive)) == local_sha256(f"file://{archive}") == sha256_of_file(archive)


def test_an_address_cannot_be_pinned_without_fetching_it() -> None:
    assert local_sha256("https://user:secret@host/faces.zip") is None


def test_a_source_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "faces.zip", tmp_path)
    with pytest.raises(FerflowError, match="does not exist"):
        local_sha256(str(tmp_path / "faces"))


def test_a_wrong_checksum_of_a_file_is_refused_with_both(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "faces.zip")
    message = refusal(archive, tmp_path, sha256="0" * 64)
    assert f"has sha256 {sha256_of_file(archive)}, expected {'0' * 64}" in message
