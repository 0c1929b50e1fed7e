"""What was fetched before: a second run of the same address transfers nothing."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
from pydantic import BaseModel, ValidationError

from ferflow.data.source.checks import DamagedSourceError
from ferflow.data.source.remote import BrokenTransferError, RefusedTransferError
from ferflow.data.source.transfer import Partial, transfer
from ferflow.errors import FerflowError, without_credentials
from ferflow.files import atomic_file, sha256_of_file, write_json


class Origin(enum.Enum):
    """Where a source's bytes came from."""

    LOCAL = "read from disk"
    FETCHED = "fetched"
    PINNED = "from the cache: it has the pinned checksum"
    UNCHANGED = "from the cache: unchanged at its address"
    UNREACHABLE = "from the cache: its address cannot be reached"


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file that an address leads to, on this machine.

    Attributes:
        file: Its place in the cache, where it stays.
        sha256: Its checksum.
        origin: How it came there.
    """

    file: Path
    sha256: str
    origin: Origin


class _Record(BaseModel):
    """What is known of a cached file; `address` is for people who look into the cache."""

    address: str
    sha256: str
    validators: dict[str, str]


def cache_folder() -> Path:
    """Return where fetched files are kept: $FERFLOW_CACHE, $XDG_CACHE_HOME/ferflow or ~/.cache/ferflow."""
    if chosen := os.environ.get("FERFLOW_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ferflow"


@contextlib.contextmanager
def cached(address: str, sha256: str | None, wait: Callable[[float], None]) -> Iterator[CachedFile]:
    """Yield the file at `address`, from the cache if it can be, and keep others from changing it meanwhile.

    A cached file with the checksum `sha256` is used without asking anybody. Without a checksum the server
    is asked whether it has another one; if it cannot be reached, the cached file is used, and stderr says
    so. If the block finds the file damaged, it will be fetched again.

    Args:
        address: An address with a scheme.
        sha256: The expected checksum, or None for any. The file may have another one all the same.
        wait: Waits that many seconds before a broken transfer goes on.

    Raises:
        FerflowError: It cannot be fetched, or the cache cannot be written.
    """
    # The whole address: what looks like a token may be all that tells two files apart.
    entry = cache_folder() / "downloads" / hashlib.sha256(address.encode()).hexdigest()[:32]
    with _errors_of(entry):
        lock = _locked(entry, without_credentials(address))
    try:
        with _errors_of(entry):
            copy = _bring(entry, address, sha256, wait)
        yield copy
    except DamagedSourceError:
        # Else its server would say forever that it is unchanged.
        (entry / "record.json").unlink(missing_ok=True)
        raise
    finally:
        lock.release()


@contextlib.contextmanager
def _errors_of(entry: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FerflowError(
            f"the cache {entry.parent} cannot be used ({error.strerror}): make room there, or set "
            "FERFLOW_CACHE to another folder."
        ) from None


def _locked(entry: Path, shown: str) -> filelock.BaseFileLock:
    entry.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(entry / "lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        print(f"{shown}: another process is fetching it; waiting", file=sys.stderr, flush=True)
        lock.acquire()
    return lock


def _bring(entry: Path, address: str, sha256: str | None, wait: Callable[[float], None]) -> CachedFile:
    content = entry / "content"
    record = _sound_record(entry)
    if record and record.sha256 == sha256:
        return CachedFile(content, record.sha256, Origin.PINNED)
    # With a pinned checksum the kept file is of no use, whatever the server says of it.
    known = record.validators if record and sha256 is None else {}
    partial = Partial(entry / "partial", entry / "partial.json")
    shown = without_credentials(address)
    try:
        version = transfer(address, known, partial, wait)
    except (BrokenTransferError, RefusedTransferError) as error:
        reason = without_credentials(str(error))
        if record and sha256 is None and isinstance(error, BrokenTransferError):
            print(f"{shown} cannot be reached ({reason}): the kept copy is used", file=sys.stderr, flush=True)
            return CachedFile(content, record.sha256, Origin.UNREACHABLE)
        raise FerflowError(
            f"{shown} cannot be fetched ({reason}): check the address and the network and run it again, or "
            "download it by hand and give its path as the source."
        ) from None
    if record and version is None:
        partial.remove()
        return CachedFile(content, record.sha256, Origin.UNCHANGED)
    found = sha256_of_file(partial.file)
    with atomic_file(content) as temporary:
        partial.file.rename(temporary)
    write_json(
        entry / "record.json",
        _Record(address=shown, sha256=found, validators=dict(version or {})).model_dump(),
    )
    partial.remove()
    return CachedFile(content, found, Origin.FETCHED)


def _sound_record(entry: Path) -> _Record | None:
    """Return what is known of the kept file; None if there is none, or it is damaged."""
    try:
        record = _Record.model_validate_json((entry / "record.json").read_text(encoding="utf-8"))
        return record if sha256_of_file(entry / "content") == record.sha256 else None
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
