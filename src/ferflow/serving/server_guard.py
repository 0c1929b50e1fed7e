"""What stands before MLflow's scoring server: what the model can answer goes through, the rest is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from ferflow.serving.request_images import Expected, RefusedError, images_of

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Some 2,000 images of 48 × 48 pixels as numbers; JSON of that size takes about a gigabyte while it is read.
MOST_BYTES: Final = 16 * 2**20


class ServerGuard:
    """An ASGI application that hands an inner one only well-formed requests to `/invocations`.

    Files become arrays on the way, so that the inner application sees one kind of request. All other paths
    are the inner application's.
    """

    def __init__(self, inner: Application, expected: Expected, most_bytes: int = MOST_BYTES) -> None:
        """Set what is refused.

        Args:
            inner: MLflow's scoring server.
            expected: What its model takes.
            most_bytes: Of a request's body; no more of it is kept in memory.
        """
        self._inner = inner
        self._expected = expected
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if (scope["type"], scope.get("path"), scope.get("method")) != ("http", "/invocations", "POST"):
            await self._inner(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await self._body(headers.get(b"content-length", ""), receive)
            # In a thread: other requests go on meanwhile.
            content = await asyncio.to_thread(self._as_arrays, body, headers.get(b"content-type", ""))
        except RefusedError as error:
            await _refuse(send, error)
        except ConnectionError:
            return  # nobody waits for an answer
        else:
            await self._inner(_with_body(scope, content), _received(content, receive), send)

    async def _body(self, announced: str, receive: Receive) -> bytes:
        if announced.isdecimal() and int(announced) > self._most_bytes:
            raise self._too_large()
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            body += message.get("body", b"")
            if len(body) > self._most_bytes:
                raise self._too_large()
            more = message.get("more_body", False)
        return bytes(body)

    def _too_large(self) -> RefusedError:
        return RefusedError(
            f"the body is larger than {self._most_bytes / 2**20:g} MiB: send fewer images at a time", 413
        )

    def _as_arrays(self, body: bytes, content_type: str) -> bytes:
        images = images_of(body, content_type, self._expected)
        return json.dumps({"inputs": images.tolist()}, separators=(",", ":")).encode()


def _with_body(scope: Scope, content: bytes) -> Scope:
    replaced = {b"content-type", b"content-length", b"transfer-encoding"}
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in replaced]
    new = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    return {**scope, "headers": [*kept, *new]}


def _received(content: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives this body, and after it what comes from the client."""
    waiting = [content]

    async def receive_body() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return receive_body


async def _refuse(send: Send, error: RefusedError) -> None:
    """Answer in the form of MLflow's errors."""
    content = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": error.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
