"""What of Gradio's server is open: the page, its scripts and its own two questions; nothing else.

Gradio serves files, fetches addresses, takes uploads and keeps them. The page needs none of it: a picture
comes with the question about it, in memory, and its answer goes back the same way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Of a question, its picture in base64 (a third more than the file) and some words.
MOST_BYTES_OF_A_QUESTION: Final = 28 * 2**20
QUESTION: Final = "/gradio_api/component_server"

_TOO_LARGE: Final = "This picture is too large."
_NOT_HERE: Final = "not found"
_READABLE: Final = re.compile(r"/|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static)/[\w./-]+")
_HEADERS: Final[Mapping[bytes, bytes]] = {
    # Gradio makes functions of text, and marks its elements' styles; no address but this server's is asked.
    b"content-security-policy": b"default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' "
    b"data:; connect-src 'self'; manifest-src 'self'; worker-src 'self' blob:; base-uri 'self'; "
    b"form-action 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"camera=(self), microphone=(), geolocation=()",
}


class Doors:
    """Let through what the page needs, and refuse the rest.

    Args:
        app: Gradio's.
        components: Whose functions may be called, by their ids; what else is called does not exist.
        hosts: The names by which a browser may call this server; None lets it have any. On the loopback
            device, another name is that of a page elsewhere which had its name point here.
        names: The names of a server in front of this one, which passes on questions of its own pages.
    """

    def __init__(
        self,
        app: ASGIApp,
        components: Collection[int],
        hosts: Collection[str] | None,
        names: Collection[str] = (),
    ) -> None:
        self._app = app
        self._components = components
        self._hosts = None if hosts is None else {*hosts, *names}
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if scope["method"] == "POST":
            content = await _body(receive)
            if content is None:
                await _refuse(413, _TOO_LARGE)(scope, receive, send)
                return
            if not self._is_asked(content):
                await _refuse(404, _NOT_HERE)(scope, receive, send)
                return
            receive = _replayed(content, receive)
        await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> PlainTextResponse | None:
        host = headers.get("host", "")
        if self._hosts is not None and normal(host) not in self._hosts:
            return _refuse(421, "This server does not have this name. Start it with --name and the name.")
        path, method = scope["path"], scope["method"]
        if method in {"GET", "HEAD"}:
            return None if _READABLE.fullmatch(path) and ".." not in path else _refuse(404, _NOT_HERE)
        if method != "POST" or path.rstrip("/") != QUESTION:
            return _refuse(404, _NOT_HERE)
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin.partition("://")[2], host):
            return _refuse(
                403, "The server does not know this page's name. Start it with --name and the name."
            )
        # Another type would be a form with files.
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _refuse(415, "This is no question of the page's.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES_OF_A_QUESTION:
            return _refuse(413, _TOO_LARGE)
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        return origin.lower() == host.lower() or normal(origin) in self._names

    def _is_asked(self, content: bytes) -> bool:
        try:
            return json.loads(content)["component_id"] in self._components
        except (ValueError, TypeError, LookupError, RecursionError):
            return False


def normal(name: str) -> str:
    """Return a host's name as it is compared: without its port, in lower case, without a final dot."""
    return re.sub(r":\d+$", "", name).lower().removesuffix(".")


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if it is too large."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BYTES_OF_A_QUESTION:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _replayed(content: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": content, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_HEADERS.items()]}
        await send(message)

    return sending


def _refuse(status: int, words: str) -> PlainTextResponse:
    return PlainTextResponse(words, status)
