"""Bring a data set's archive in: fetched, verified, unpacked where nothing can escape."""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

import requests

from ferflow.errors import FerflowError
from ferflow.files import atomic_folder, sha256_of_file
from ferflow.progress import progress

_CHUNK_BYTES = 1 << 20
_TIMEOUT_SECONDS = 30
#: Image archives barely compress; one that unpacks to more than this many times its size is a bomb.
_MAX_EXPANSION = 200
#: What the standard library raises on archives that are damaged, encrypted or packed by other methods.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    IndexError,
)


def download(source: str, sha256: str | None, out: Path) -> str:
    """Unpack the archive at `source` into the folder `out`, whole or not at all; return its SHA-256.

    Args:
        source: An http(s) address, or the path of a zip or tar archive (tar, tar.gz, tar.bz2, tar.xz).
        sha256: The expected checksum of the archive in hexadecimal, or None to accept any.
        out: The folder to make. It keeps what it held until the new content is complete.

    Returns:
        The checksum of the archive that was unpacked.

    Raises:
        FerflowError: The source cannot be read, has another checksum, is no archive, is damaged, or
            has a member that is a link or would be written outside of `out`.
    """
    if "://" not in source:
        return _unpack_verified(Path(source), source, sha256, out)
    if not source.startswith(("http://", "https://")):
        raise FerflowError(f"{source}: only http(s) addresses and local paths can be downloaded.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download.", dir=out.parent) as folder:
        archive = Path(folder) / "archive"
        _fetch(source, archive)
        return _unpack_verified(archive, source, sha256, out)


def _fetch(address: str, destination: Path) -> None:
    try:
        with requests.get(address, stream=True, timeout=_TIMEOUT_SECONDS) as response:
            response.raise_for_status()
            total = int(response.headers.get("Content-Length", 0)) or None
            with (
                destination.open("wb") as stream,
                progress(description="download", unit="B", total=total, bytes_=True) as bar,
            ):
                for chunk in response.iter_content(_CHUNK_BYTES):
                    stream.write(chunk)
                    bar.update(len(chunk))
    except requests.RequestException as error:
        raise FerflowError(
            f"{address} cannot be fetched ({_root_cause(error)}): check the address and the network, or "
            "download it by hand and give its path as the source."
        ) from None


def _root_cause(error: BaseException) -> str:
    """Return the innermost reason: the outer ones repeat the address and name internal objects."""
    if isinstance(error, requests.HTTPError):
        return str(error).split(" for url")[0]
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(error) or type(error).__name__


def _unpack_verified(archive: Path, source: str, sha256: str | None, out: Path) -> str:
    if not archive.exists():
        raise FerflowError(f"{source} does not exist: correct the data set's `source` in params.yaml.")
    if not archive.is_file():
        raise FerflowError(f"{source} is not a file: the source must be a zip or tar archive.")
    found = sha256_of_file(archive)
    if sha256 is not None and found != sha256:
        raise FerflowError(
            f"{source} has sha256 {found}, expected {sha256}: the file is damaged or another version; "
            "fetch it again, or correct `sha256` in params.yaml."
        )
    with atomic_folder(out) as folder:
        _unpack(archive, source, folder)
    return found


def _unpack(archive: Path, source: str, folder: Path) -> None:
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, source, folder)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, source, folder)
        else:
            raise FerflowError(
                f"{source} is neither a zip nor a tar archive, or it is damaged: fetch it again."
            )
    except _UNREADABLE as error:
        raise FerflowError(
            f"{source} cannot be unpacked ({error}): it is damaged or encrypted; fetch it again."
        ) from None


def _unpack_zip(archive: Path, source: str, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        members = content.infolist()
        _check_size(source, archive, sum(member.file_size for member in members), folder)
        for member in members:
            # Some tools on Windows separate folders so; here it would be part of a file's name.
            member.filename = member.filename.replace("\\", "/")
            _check_member(source, member.filename, is_link=stat.S_ISLNK(member.external_attr >> 16))
        for member in progress(members, description="unpack", unit="file"):
            content.extract(member, folder)


def _unpack_tar(archive: Path, source: str, folder: Path) -> None:
    with tarfile.open(archive) as content:
        members = content.getmembers()
        _check_size(source, archive, sum(member.size for member in members), folder)
        for member in members:
            _check_member(source, member.name, is_link=not (member.isfile() or member.isdir()))
        # The checksum of a compressed stream stands at its end, which tarfile does not read by itself.
        while content.fileobj and content.fileobj.read(_CHUNK_BYTES):
            pass
        if hasattr(tarfile, "data_filter"):
            # Younger than Python 3.11.0; what it would refuse has been refused above.
            content.extraction_filter = tarfile.data_filter
        for member in progress(members, description="unpack", unit="file"):
            content.extract(member, folder)


def _check_member(source: str, name: str, *, is_link: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    drive = bool(path.parts) and path.parts[0].endswith(":")
    if path.is_absolute() or drive or ".." in path.parts:
        raise FerflowError(f"{source}: member '{name}' would be written outside of its folder; refused.")
    if is_link:
        raise FerflowError(f"{source}: member '{name}' is a link or device; refused.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise FerflowError(f"{source}: the name of member {name!a} is not UTF-8: rename it.") from None


def _check_size(source: str, archive: Path, expanded: int, folder: Path) -> None:
    if expanded > _MAX_EXPANSION * max(archive.stat().st_size, _CHUNK_BYTES):
        raise FerflowError(f"{source} would unpack to {expanded:,} bytes, far beyond its own size; refused.")
    free = shutil.disk_usage(folder).free
    if expanded > free:
        raise FerflowError(f"{source} needs {expanded:,} bytes; only {free:,} are free at {folder.parent}.")
