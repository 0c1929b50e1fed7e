"""What the test of a team's servers stands on, in seconds and without any server."""

from __future__ import annotations

import base64
import gzip
import io
import os
import sys
import time
import zipfile
from pathlib import Path

import pytest

from ferflow.errors import FerflowError
from team.postgres import installed_programs, programs
from team.processes import Server, free_port, is_open
from team.secrets_search import files_with_secrets, found_secrets
from team.workplace import Workplace

RANDOM = "f3a9c2d47b6e4d18"
#: A server with a child that serves: both must go.
SERVE = """
import subprocess, sys
subprocess.run([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", sys.argv[1]])
"""


def zipped(content: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", content)
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        f"postgresql://mlflow:{RANDOM}@db/mlflow".encode(),
        b"Basic " + base64.b64encode(f"ann:{RANDOM}".encode()),
        b"Basic " + base64.b64encode(f"anna:{RANDOM}".encode()),
        b"Basic " + base64.b64encode(f"admin:{RANDOM}".encode()),
        zipped(f"password={RANDOM}"),
        gzip.compress(RANDOM.encode()),
    ],
    ids=["plain", "encoded 1", "encoded 2", "encoded 3", "zip", "gzip"],
)
def test_a_planted_secret_is_found(content: bytes, tmp_path: Path) -> None:
    secrets = {"the password": RANDOM, "another": "0123456789abcdef"}
    assert found_secrets(content, secrets) == ["the password"]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(content)
    (tmp_path / "clean").write_bytes(zipped("nothing") + gzip.compress(b"nothing"))
    assert files_with_secrets(tmp_path, secrets) == {str(tmp_path / "folder" / "file"): ["the password"]}


def test_a_stopped_server_leaves_no_child_and_no_port(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", SERVE, str(port)]
    server = Server("it", command, port=port, log=tmp_path / "log", environment=os.environ)
    for end in (server.stop, server.kill):
        server.start()
        assert is_open(port)
        end()
        assert not is_open(port)
    server.stop()


def test_a_server_that_ends_at_once_is_told_with_what_it_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no room')"]
    server = Server("it", command, port=free_port(), log=tmp_path / "log", environment=os.environ)
    with pytest.raises(RuntimeError, match="it did not start:\nno room"):
        server.start()


def test_an_interrupted_command_leaves_no_child(tmp_path: Path) -> None:
    port = free_port()
    place = Workplace(tmp_path, os.environ, [])
    with pytest.raises(KeyboardInterrupt), place.running("python", "-c", SERVE, str(port)):
        deadline = time.monotonic() + 30
        while not is_open(port) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert is_open(port)
        raise KeyboardInterrupt
    assert not is_open(port)


def test_newest_postgresql_is_taken(tmp_path: Path) -> None:
    for version in ("9.6", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    assert programs(tmp_path) == tmp_path / "17" / "bin"


@pytest.mark.parametrize("answer", [None, "E: Unable to locate package postgresql"])
def test_missing_postgresql_is_one_line_with_what_to_do(
    answer: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apt-get", "sh", "sudo") if answer else ():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{answer}' >&2\nexit 100\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FerflowError, match=r"install Debian's package `postgresql`") as caught:
        installed_programs(tmp_path)
    assert "\n" not in str(caught.value)
    assert (answer or "there is no PostgreSQL") in str(caught.value)
