"""Files at the addresses of object stores, and of whatever else fsspec knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

import fsspec

from ferflow.data.source.checks import CHUNK_BYTES
from ferflow.data.source.remote import BrokenTransferError, RefusedTransferError, Reply, Validators
from ferflow.errors import FerflowError, without_credentials

#: The extras of pyproject.toml by scheme.
_EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file at an address with a scheme such as s3 or gs."""

    address: str

    @contextlib.contextmanager
    def request(self, offset: int, version: Validators, known: Validators) -> Iterator[Reply | None]:
        """Ask for the file from a byte on; see `Remote`."""
        with contextlib.ExitStack() as stack:
            with _translated():
                system, path = _open_store(self.address)
                system.invalidate_cache()  # of what an earlier request was told
                details = system.info(path)
                if details["type"] == "directory":
                    raise RefusedTransferError("it is a folder there; pack it as one archive")
                current = {"checksum": str(system.checksum(path))}
            if current == known:
                yield None
                return
            with _translated():
                stream = stack.enter_context(system.open(path, "rb"))
                start = offset if current == version and stream.seekable() else 0
                if start:
                    stream.seek(start)
            yield Reply(current, start, details.get("size"), _chunks(stream))


def _open_store(address: str) -> tuple[Any, str]:
    shown = without_credentials(address)
    scheme = address.partition("://")[0]
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        if extra := _EXTRAS.get(scheme):
            raise FerflowError(
                f"{shown} needs the extra '{extra}', which is not installed: "
                f"uv pip install -e '.[{extra}]' ({error})."
            ) from None
        raise FerflowError(f"{shown} needs a package that is not installed ({error}).") from None
    except ValueError as error:
        if scheme in fsspec.available_protocols():
            raise RefusedTransferError(str(error)) from None
        raise FerflowError(
            f"{shown}: '{scheme}' is no kind of address that is known here: use http(s), s3, gs or a path."
        ) from None
    return system, path


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while True:
        with _translated():
            chunk = stream.read(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (FerflowError, RefusedTransferError):
        raise
    except FileNotFoundError:
        raise RefusedTransferError("it does not exist") from None
    except PermissionError as error:
        raise RefusedTransferError(f"access denied: {_one_line(error)}") from None
    except Exception as error:
        # Each store raises errors of the library that it is built on.
        raise BrokenTransferError(_one_line(error)) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
