"""Files at http(s) addresses."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import IncompleteRead
from typing import Final

import requests
from urllib3.exceptions import HTTPError

from ferflow.data.source.remote import BrokenTransferError, RefusedTransferError, Reply, Validators

_TIMEOUT_SECONDS: Final = (10, 30)  # to connect, and between two pieces
_CHUNK_BYTES: Final = 1 << 16  # what is lost where a transfer breaks off
_VALIDATORS: Final = ("ETag", "Last-Modified")
#: Statuses below 500 that may pass: time ran out, too early, too many requests.
_PASSING: Final = (408, 425, 429)
_SENSELESS: Final = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.TooManyRedirects,
)


@dataclass(frozen=True, slots=True)
class HttpFile:
    """A file at an http(s) address."""

    address: str

    @contextlib.contextmanager
    def request(self, offset: int, version: Validators, known: Validators) -> Iterator[Reply | None]:
        """Ask for the file from a byte on; see `Remote`."""
        with contextlib.ExitStack() as stack:
            with _translated():
                response = stack.enter_context(
                    requests.get(
                        self.address,
                        headers=_headers(offset, version, known),
                        stream=True,
                        timeout=_TIMEOUT_SECONDS,
                    )
                )
            if offset and response.status_code in (206, 416) and not _goes_on(response, offset, version):
                response.close()
                yield stack.enter_context(self.request(0, {}, known))
            else:
                yield _reply(response, offset, known)


def _headers(offset: int, version: Validators, known: Validators) -> dict[str, str]:
    # What is compressed on its way cannot be counted, gone on with, or compared to a checksum.
    headers = {"Accept-Encoding": "identity"}
    if "ETag" in known:
        headers["If-None-Match"] = known["ETag"]
    if "Last-Modified" in known:
        headers["If-Modified-Since"] = known["Last-Modified"]
    if offset and (strong := _strong(version)):
        headers |= {"Range": f"bytes={offset}-", "If-Range": strong}
    return headers


def _strong(version: Validators) -> str | None:
    """Return the validator that changes whenever a byte does; a weak ETag need not."""
    tag = version.get("ETag", "W/")
    return version.get("Last-Modified") if tag.startswith("W/") else tag


def _goes_on(response: requests.Response, offset: int, version: Validators) -> bool:
    """Return whether a part is the one that was asked for: some servers do not look at If-Range."""
    sent = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    same = all(version.get(name) == value for name, value in _validators(response).items())
    return response.status_code == 206 and sent is not None and int(sent[1]) == offset and same


def _reply(response: requests.Response, offset: int, known: Validators) -> Reply | None:
    status = response.status_code
    if status == 304 and known:
        return None
    if status in _PASSING or status >= 500:
        raise BrokenTransferError(f"{status} {response.reason}")
    if not 200 <= status < 300 or (status == 206 and not offset):
        raise RefusedTransferError(f"{status} {response.reason}")
    if status == 206:
        total = response.headers["Content-Range"].rpartition("/")[2]
        return Reply(
            _validators(response), offset, int(total) if total.isdigit() else None, _chunks(response)
        )
    length = response.headers.get("Content-Length", "")
    return Reply(_validators(response), 0, int(length) if length.isdigit() else None, _chunks(response))


def _validators(response: requests.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in _VALIDATORS if name in response.headers}


def _chunks(response: requests.Response) -> Iterator[bytes]:
    # Not decoded, should the server insist on a Content-Encoding: its lengths and ranges count these
    # bytes, and a file that is stored as .gz is often sent so.
    stream = response.raw.stream(_CHUNK_BYTES, decode_content=False)
    while True:
        with _translated():
            chunk = next(stream, b"")
        if not chunk:
            return
        yield chunk


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _SENSELESS as error:
        raise RefusedTransferError(_root_cause(error)) from None
    except (requests.RequestException, HTTPError) as error:
        raise BrokenTransferError(_root_cause(error)) from None


def _root_cause(error: BaseException) -> str:
    """Return the innermost reason: the outer ones repeat the address and name internal objects."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    if isinstance(error, IncompleteRead):
        return "it ended early"
    return " ".join(str(error).split()) or type(error).__name__
