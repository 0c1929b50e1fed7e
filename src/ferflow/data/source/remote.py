"""What every kind of address offers to a transfer, and how one fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

#: What identifies a version of a remote file, by the names of the protocol: `ETag`, `Last-Modified`, ...
Validators = Mapping[str, str]


class BrokenTransferError(Exception):
    """A transfer that failed for a reason that may pass; its message is the reason."""


class RefusedTransferError(Exception):
    """A transfer that would fail again; its message is the reason."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server sends.

    Attributes:
        validators: Its version; empty if the server does not say.
        offset: The byte of the file at which `chunks` begins: the one that was asked for, or 0.
        size: Bytes of the whole file; None if the server does not say.
        chunks: The bytes, as they are stored there. Raises one of the two errors above.
    """

    validators: Validators
    offset: int
    size: int | None
    chunks: Iterator[bytes]


class Remote(Protocol):
    """A file at an address."""

    def request(
        self, offset: int, version: Validators, known: Validators
    ) -> AbstractContextManager[Reply | None]:
        """Ask for the file from a byte on.

        Args:
            offset: Bytes that are there already, of the version `version`. If the file is another version
                by now, or this cannot be told, the reply begins at 0.
            version: See `offset`.
            known: A version that is there as a whole; empty for none.

        Returns:
            The reply, or None if the file is still the version `known`.

        Raises:
            BrokenTransferError: It failed for a reason that may pass.
            RefusedTransferError: It would fail again.
        """
