"""Gradio's server behind its doors: what is not the page is not there."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ferflow.demo.answering import Answering
from ferflow.demo.blocks import page
from ferflow.demo.doors import MOST_BYTES_OF_A_QUESTION, QUESTION
from ferflow.demo.offer import Models
from ferflow.demo.samples import samples
from ferflow.demo.server import application
from ferflow.serving.ports import is_loopback

from . import invented

HOST = "127.0.0.1:7860"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[Any]:
    given = invented.opened(name="<b>named</b> 'by' \"people\"")
    answering = Answering(Models(given, None), None, invented.Detector((60, 80, 200, 220)), samples())
    loops: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def noted() -> asyncio.AbstractEventLoop:
        loops.append(new_event_loop())
        return loops[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        # Where Gradio makes a page outside of a loop, it makes some and leaves them open.
        patch.setattr(asyncio, "new_event_loop", noted)
        made = application(page(answering, given, Models.GIVEN, samples()), "127.0.0.1", ["Demo.example.org"])
    yield made
    for loop in loops:
        loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture(scope="module")
def client(app: Any) -> TestClient:
    return TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)


def component(client: TestClient) -> int:
    config = re.search(r"window\.gradio_config = (\{.*?\});</script>", client.get("/").text)
    assert config is not None
    (number,) = [each["id"] for each in json.loads(config[1])["components"] if each["type"] == "html"]
    return int(number)


def ask(client: TestClient, data: Any, function: str = "answer", **headers: str) -> Any:
    body = {"component_id": component(client), "fn_name": function, "data": data, "session_hash": "s"}
    return client.post(QUESTION, json=body, headers=headers)


def test_the_page_asks_no_other_server(client: TestClient) -> None:
    html = client.get("/").text
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//", html)
    theme = client.get("/theme.css")
    assert theme.status_code == 200 and "url(http" not in theme.text
    assert "fonts.googleapis" not in html + theme.text


def test_the_browser_is_told_to_ask_no_other_server(client: TestClient) -> None:
    headers = client.get("/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_a_question_is_answered_and_a_second_function_too(client: TestClient) -> None:
    found = ask(client, {"sample": "astronaut", "first": "given"}).json()
    assert found["said"] == "One face: happy"
    assert ask(client, {}, "standing").json() == {"champion": None, "answers": True, "versions": []}


def test_a_name_that_people_chose_is_text_in_the_page(client: TestClient) -> None:
    assert "<b>named</b>" not in client.get("/").text


@pytest.mark.parametrize("function", ["postprocess", "get_config", "__init__", "_answer", "load_event"])
def test_no_other_function_can_be_called(client: TestClient, function: str) -> None:
    assert ask(client, {}, function).status_code == 404


READING = [
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/file/etc/passwd",
    "/gradio_api/file=http://127.0.0.1:1/",
    "/file=/etc/passwd",
    "/gradio_api/proxy=http://127.0.0.1:1/",
    "/gradio_api/info",
    "/gradio_api/openapi.json",
    "/gradio_api/runs",
    "/gradio_api/heartbeat/s",
    "/gradio_api/queue/data?session_hash=s",
    "/gradio_api/upload_progress?upload_id=1",
    "/gradio_api/stream/a/b/1/playlist.m3u8",
    "/gradio_api/vibe-code/",
    "/gradio_api/deep_link?session_hash=s",
    "/config",
    "/monitoring",
    "/login_check",
    "/docs",
    "/openapi.json",
    "/static/../../../../etc/passwd",
    "/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/static//etc/passwd",
]


@pytest.mark.parametrize("path", READING)
def test_nothing_else_can_be_read(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in {403, 404}
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload",
        "/gradio_api/queue/join",
        "/gradio_api/run/predict",
        "/gradio_api/call/answer",
        "/gradio_api/process_recording",
        "/gradio_api/reset",
        "/gradio_api/vibe-edit",
        "/login",
        "/",
    ],
)
def test_nothing_else_can_be_sent(client: TestClient, folder: Path, path: str) -> None:
    fetched = {"path": "http://127.0.0.1:1/x", "meta": {"_type": "gradio.FileData"}}
    assert client.post(path, json={"data": [fetched], "fn_index": 0}).status_code == 404
    assert client.post(path, files={"files": ("a.png", b"content")}).status_code == 404
    assert not [each for each in folder.rglob("*") if each.is_file()]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_is_known(client: TestClient, method: str) -> None:
    assert client.request(method, QUESTION).status_code == 404


def test_a_form_with_a_file_is_no_question(client: TestClient, folder: Path) -> None:
    form = {"component_id": "1", "fn_name": "answer", "session_hash": "s"}
    answer = client.post(QUESTION, data=form, files={"data": ("a.png", b"content")})
    assert answer.status_code == 415
    assert not [each for each in folder.rglob("*") if each.is_file()]


@pytest.mark.parametrize("what", ["http://127.0.0.1:1/x", "/etc/passwd"])
def test_an_address_or_a_path_is_no_picture(client: TestClient, folder: Path, what: str) -> None:
    file = {"path": what, "url": what, "meta": {"_type": "gradio.FileData"}}
    for picture in (file, what):
        found = ask(client, {"picture": picture, "first": "given"}).json()
        assert "<table" not in found["answer"] and "root:" not in str(found)
    assert not [each for each in folder.rglob("*") if each.is_file()]


def test_a_question_has_a_limit(client: TestClient) -> None:
    def without_length() -> Iterator[bytes]:
        for _ in range(MOST_BYTES_OF_A_QUESTION // 2**20 + 2):
            yield bytes(2**20)

    kind = {"content-type": "application/json"}
    assert client.post(QUESTION, content=without_length(), headers=kind).status_code == 413
    told = kind | {"content-length": str(MOST_BYTES_OF_A_QUESTION + 1)}
    assert client.post(QUESTION, content=b"", headers=told).status_code == 413


def test_another_page_cannot_ask(client: TestClient) -> None:
    asked = {"sample": "astronaut", "first": "given"}
    assert ask(client, asked, origin="https://example.org").status_code == 403
    assert ask(client, asked, origin="null").status_code == 403
    assert ask(client, asked, origin=f"http://{HOST}").status_code == 200


def test_the_names_of_a_server_in_front_are_known(app: Any, client: TestClient) -> None:
    asked = {"sample": "astronaut", "first": "given"}
    assert ask(client, asked, origin="https://demo.example.org").status_code == 200, "nginx as it is"
    assert ask(client, asked, origin="https://demo.example.org.evil.org").status_code == 403
    assert ask(client, asked, origin="http://localhost:3000").status_code == 403, (
        "another page of this machine"
    )
    there = TestClient(app, base_url="https://demo.example.org")
    assert ask(there, asked, origin="https://demo.example.org").status_code == 200
    for name in ("LOCALHOST", "localhost."):
        assert client.get("/", headers={"host": f"{name}:7860"}).status_code == 200


def test_a_server_in_front_that_says_so_has_the_page_ask_through_it(client: TestClient) -> None:
    headers = {"host": "demo.example.org", "x-forwarded-proto": "https"}
    assert '"root":"https://demo.example.org"' in client.get("/", headers=headers).text.replace(" ", "")


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"null", b"[" * 100_000, b'{"component_id": 99999}', b'{"component_id": []}']
)
def test_what_is_no_question_is_not_found(client: TestClient, content: bytes) -> None:
    kind = {"content-type": "application/json"}
    assert client.post(QUESTION, content=content, headers=kind).status_code == 404


def test_another_name_for_this_machine_is_not_answered(app: Any) -> None:
    """Whose owner would have it point here, to read with their own page what is served on it."""
    assert TestClient(app, base_url="http://example.org:7860").get("/").status_code == 421
    assert TestClient(app, base_url="http://localhost:7860").get("/").status_code == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("example.org", False)],
)
def test_what_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
