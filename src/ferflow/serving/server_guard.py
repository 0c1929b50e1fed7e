"""What stands before MLflow's scoring server: what the model can answer goes through, the rest is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias

from ferflow.serving.limits import Limits
from ferflow.serving.request_images import Expected, RefusedError, images_of

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

#: What is there of MLflow's server. It has pages besides, which fetch scripts from other servers.
PATHS: Final = frozenset({"/invocations", "/ping", "/health", "/version"})
#: MLflow's names for what is wrong.
_CODES: Final = {404: "ENDPOINT_NOT_FOUND", 504: "TEMPORARILY_UNAVAILABLE"}


class ServerGuard:
    """An ASGI application that hands an inner one only well-formed requests to `/invocations`.

    Files become arrays on the way, so that the inner application sees one kind of request. Of the other
    paths it answers those of `PATHS`.
    """

    def __init__(self, inner: Application, expected: Expected, limits: Limits) -> None:
        """Set what is refused.

        Args:
            inner: MLflow's scoring server.
            expected: What its model takes.
            limits: Of one request; no more of a body than they allow is kept in memory.
        """
        self._inner = inner
        self._expected = expected
        self._limits = limits
        # One thread: what requests need of memory while they are read is needed once. Those that wait for
        # it too long never enter it.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="reader")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] != "http":
            await self._inner(scope, receive, send)
        elif scope["path"] not in PATHS:
            await _refuse(send, RefusedError("there is only /invocations, /health, /ping and /version", 404))
        elif (scope["path"], scope["method"]) != ("/invocations", "POST"):
            await self._inner(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            async with asyncio.timeout(self._limits.seconds):
                body = await self._body(headers.get(b"content-length", ""), receive)
                content = await asyncio.get_running_loop().run_in_executor(
                    self._reader, self._as_arrays, body, headers.get(b"content-type", "")
                )
        except RefusedError as error:
            await _refuse(send, error)
        except TimeoutError:
            seconds = self._limits.seconds
            await _refuse(
                send,
                RefusedError(f"the images were not read within {seconds} s: try again, or send less", 504),
            )
        except ConnectionError:
            return  # nobody waits for an answer
        else:
            await self._inner(_with_body(scope, content), _received(content, receive), send)

    async def _body(self, announced: str, receive: Receive) -> bytes:
        if announced.isdecimal() and int(announced) > self._limits.size:
            raise self._too_large()
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            body += message.get("body", b"")
            if len(body) > self._limits.size:
                raise self._too_large()
            more = message.get("more_body", False)
        return bytes(body)

    def _too_large(self) -> RefusedError:
        return RefusedError(
            f"the body is larger than {self._limits.size / 2**20:g} MiB: send fewer images at a time", 413
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
    code = _CODES.get(error.status, "INVALID_PARAMETER_VALUE")
    content = json.dumps({"error_code": code, "message": error.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
