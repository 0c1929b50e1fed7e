"""Sources as people have them, and what must hold when one is refused."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ferflow.data.source import fetch_source
from ferflow.errors import FerflowError

NOISE = np.random.default_rng(0).bytes(20_000)
FILES = {
    "train/happy/1.png": b"one",
    "train/happy/2.png": b"two",
    "test/glücklich/3 é.png": NOISE,
    "readme.txt": b"",
}
TABLE = b"emotion,pixels,Usage\n3,0 1 2 3,Training\n0,4 5 6 7,PublicTest\n"


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


def tar_file(
    path: Path, files: Mapping[str, bytes] = FILES, compression: str = "gz", mode: int = 0o644
) -> Path:
    with tarfile.open(path, f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = mode
            archive.addfile(member, io.BytesIO(content))
    return path


def tar_with(path: Path, name: str, kind: bytes, target: str = "") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        archive.addfile(member)
    return path


def folder_of(path: Path, files: Mapping[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def bring(source: str | Path, out: Path, sha256: str | None = None) -> str:
    """Fetch a source that needs no second attempt, and return its checksum."""

    def wait(seconds: float) -> None:
        raise AssertionError(f"waits {seconds} s")

    return fetch_source(str(source), sha256, out, wait=wait).sha256


def refusal(source: str | Path, folder: Path, sha256: str | None = None) -> str:
    """Return the message of a source that is refused, once it is sure that all is left as it was."""
    out = folder / "data" / "raw"
    (out / "happy").mkdir(parents=True)
    (out / "happy" / "old.png").write_bytes(b"old")
    before = sorted(folder.rglob("*"))
    with pytest.raises(FerflowError) as error:
        fetch_source(str(source), sha256, out, wait=lambda _: None)
    assert sorted(folder.rglob("*")) == before
    assert contents(out) == {"happy/old.png": b"old"}
    message = str(error.value)
    assert "\n" not in message
    assert str(source) in message
    return message
