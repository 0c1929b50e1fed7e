"""A web server on this machine that fails in the ways that servers and networks fail."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """How one request is answered: by default as it should be."""

    status: int = 200
    drop_after: int | None = None  # bytes of the body
    knows_ranges: bool = True
    looks_at_if_range: bool = True
    announces_length: bool = True
    chunked: bool = False
    gzipped: bool = False
    etag: str | None = None  # from this request on


@dataclass
class FaultyServer:
    """What is served, how the next requests are answered, and what was asked."""

    content: bytes = b""
    etag: str | None = '"one"'
    last_modified: str | None = None
    answers: list[Answer] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)  # bytes of each body
    address: str = ""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FaultyServer

    def do_GET(self) -> None:
        state = self.state
        state.requests.append(dict(self.headers))
        answer = state.answers.pop(0) if state.answers else Answer()
        state.etag = answer.etag or state.etag
        self.close_connection = True
        versions = {name: value for name, value in self._versions().items() if value}
        if answer.status != 200:
            self._head(answer.status, {"Content-Length": "0"})
        elif self._unchanged():
            self._head(304, versions)
        else:
            self._body(answer, versions)

    def _versions(self) -> dict[str, str | None]:
        return {"ETag": self.state.etag, "Last-Modified": self.state.last_modified}

    def _unchanged(self) -> bool:
        if tag := self.headers["If-None-Match"]:
            return bool(tag == self.state.etag)
        date = self.headers["If-Modified-Since"]
        return date is not None and date == self.state.last_modified

    def _body(self, answer: Answer, headers: dict[str, str]) -> None:
        body = gzip.compress(self.state.content, mtime=0) if answer.gzipped else self.state.content
        offset, status = 0, 200
        asked = self.headers["Range"] if answer.knows_ranges else None
        if asked and (self.headers["If-Range"] in self._versions().values() or not answer.looks_at_if_range):
            offset, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            if offset >= len(body):
                self._head(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
                return
            headers["Content-Range"] = f"bytes {offset}-{len(body) - 1}/{len(body)}"
        if answer.gzipped:
            headers["Content-Encoding"] = "gzip"
        part = body[offset:]
        if answer.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif answer.announces_length:
            headers["Content-Length"] = str(len(part))
        self._head(status, headers)
        cut = part[: answer.drop_after]
        if answer.chunked:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(cut), cut))
            if answer.drop_after is None:
                self.wfile.write(b"0\r\n\r\n")
        else:
            self.wfile.write(cut)
        self.state.sent.append(len(cut))

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.state.statuses.append(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[FaultyServer]:
    """Yield a server on 127.0.0.1 that serves `content` at every path."""
    state = FaultyServer()
    handler = type("Handler", (_Handler,), {"state": state})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.address = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()
        thread.join()
