"""A remote file in, whole: a transfer that breaks goes on from where it stopped, in this run or the next."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferflow.data.source.checks import check_room
from ferflow.data.source.http import HttpFile
from ferflow.data.source.remote import BrokenTransferError, Remote, Validators
from ferflow.data.source.stores import StoredFile
from ferflow.errors import without_credentials
from ferflow.files import write_json
from ferflow.progress import progress

#: Before the second attempt, the third, ...
_WAITS_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Partial:
    """The beginning of a remote file on disk, with the version of which it is.

    Attributes:
        file: The bytes that have come so far. It need not exist.
        record: Where the version is written.
    """

    file: Path
    record: Path

    @property
    def size(self) -> int:
        """Bytes that have come so far."""
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def version(self) -> Validators:
        """The version of which they are; empty where that is not known, so that they are of no use."""
        try:
            return dict(json.loads(self.record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}

    def begin(self, version: Validators) -> None:
        """Forget what has come, and expect the version `version`."""
        self.file.unlink(missing_ok=True)
        write_json(self.record, dict(version))

    def remove(self) -> None:
        """Remove both files."""
        self.file.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)


def transfer(
    address: str, known: Validators, partial: Partial, wait: Callable[[float], None]
) -> Validators | None:
    """Bring the file at an address into `partial.file`.

    Args:
        address: An address with a scheme.
        known: A version that need not be brought; empty for none.
        partial: Where to. What an interrupted transfer left there is used, and what this one leaves, if it
            is interrupted, can be.
        wait: Waits that many seconds.

    Returns:
        The version that was brought, or None if it is still `known`.

    Raises:
        BrokenTransferError: It failed for a reason that may pass, as often as it is tried.
        RefusedTransferError: It would fail again.
        FerflowError: The address is of no known kind, or the disk has no room.
    """
    shown = without_credentials(address)
    remote: Remote = HttpFile(address) if re.match("https?://", address, re.I) else StoredFile(address)
    for seconds in _WAITS_SECONDS:
        try:
            return _attempt(remote, shown, known, partial)
        except BrokenTransferError as error:
            reason = without_credentials(str(error))
            print(
                f"{shown}: {reason}; trying again after {partial.size:,} bytes", file=sys.stderr, flush=True
            )
            wait(seconds)
    return _attempt(remote, shown, known, partial)


def _attempt(remote: Remote, shown: str, known: Validators, partial: Partial) -> Validators | None:
    with remote.request(partial.size, partial.version, known) as reply:
        if reply is None:
            return None
        if not reply.offset:
            partial.begin(reply.validators)
        if reply.size is not None:
            check_room(shown, reply.size - reply.offset, partial.file.parent)
        with (
            partial.file.open("ab") as stream,
            progress(description="download", unit="B", total=reply.size, bytes_=True) as bar,
        ):
            bar.update(reply.offset)
            for chunk in reply.chunks:
                stream.write(chunk)
                bar.update(len(chunk))
    if reply.size is not None and partial.size != reply.size:
        size = partial.size
        if size > reply.size:
            partial.remove()
        raise BrokenTransferError(f"{size:,} bytes came of {reply.size:,} that were announced")
    return reply.validators
