from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from ferflow.serving import server_guard
from ferflow.serving.limits import Limits
from ferflow.serving.request_images import Expected
from ferflow.serving.server_guard import Message, Receive, Scope, Send, ServerGuard

SHAPE = (2, 2, 1)
GOOD = json.dumps({"inputs": [[[[1], [2]], [[3], [4]]]]}).encode()


async def _inner(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what came through."""
    body = (await receive())["body"] if scope["method"] == "POST" else b"inner"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def _guard(seconds: int = 60) -> ServerGuard:
    return ServerGuard(_inner, Expected(SHAPE), Limits(seconds=seconds))


async def _ask(
    guard: ServerGuard, body: bytes = GOOD, *, path: str = "/invocations", method: str = "POST",
    receive: Callable[[], Awaitable[Message]] | None = None,
) -> tuple[int, bytes]:  # fmt: skip
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive_body() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "path": path, "method": method, "headers": headers}
    await guard(scope, receive or receive_body, send)
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc", "/invocations/", "//invocations", "/"])
def test_nothing_of_mlflows_other_pages_is_there(path: str) -> None:
    for method in ("GET", "POST"):
        status, body = asyncio.run(_ask(_guard(), path=path, method=method))
        assert (status, json.loads(body)["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize("path", ["/ping", "/health", "/version", "/invocations"])
def test_what_needs_no_guard_is_the_inner_applications(path: str) -> None:
    assert asyncio.run(_ask(_guard(), path=path, method="GET")) == (200, b"inner")


def test_a_web_socket_is_closed() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    asyncio.run(_guard()({"type": "websocket", "path": "/invocations"}, receive, send))
    assert sent == [{"type": "websocket.close"}]


def test_requests_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most = 0, 0

    def slowly(*_: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1
        return np.zeros((1, *SHAPE), np.uint8)

    monkeypatch.setattr(server_guard, "images_of", slowly)

    async def ask_all() -> list[tuple[int, bytes]]:
        guard = _guard()
        return await asyncio.gather(*(_ask(guard) for _ in range(8)))

    assert [status for status, _ in asyncio.run(ask_all())] == [200] * 8
    assert most == 1


def test_a_request_that_waits_too_long_is_answered_and_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    read = []

    def wait(body: bytes, *_: Any) -> Any:
        read.append(body)
        go_on.wait(30)
        return np.zeros((1, *SHAPE), np.uint8)

    monkeypatch.setattr(server_guard, "images_of", wait)

    async def ask_two_and_then_one() -> list[tuple[int, bytes]]:
        guard = _guard(seconds=1)
        answers = await asyncio.gather(_ask(guard, b"first"), _ask(guard, b"second"))
        go_on.set()
        return [*answers, await _ask(guard, b"third")]

    answers = asyncio.run(ask_two_and_then_one())
    assert [status for status, _ in answers] == [504, 504, 200]
    assert "not read within 1 s" in json.loads(answers[0][1])["message"]
    assert read == [b"first", b"third"]


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def receive() -> Message:
        await asyncio.sleep(0.4)
        return {"type": "http.request", "body": b" ", "more_body": True}

    assert asyncio.run(_ask(_guard(seconds=1), receive=receive))[0] == 504


def test_what_comes_through_is_levels() -> None:
    file = base64.b64encode(b"no file").decode()
    assert asyncio.run(_ask(_guard())) == (200, GOOD.replace(b" ", b""))
    assert asyncio.run(_ask(_guard(), json.dumps({"inputs": [file]}).encode()))[0] == 400
