from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from uvicorn.importer import import_from_string

from ferflow.errors import FerflowError
from ferflow.serve import WORKER_APP, main, worker_app


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A model that is found, and cannot be opened."""
    folder = tmp_path / "broken"
    (folder / "artifacts").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / "artifacts/network.keras").write_bytes(b"nothing")
    return folder


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def _serve(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["serve", *arguments])
    main()


def test_a_port_that_cannot_be_had_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, broken: Path, taken: int
) -> None:
    with pytest.raises(FerflowError, match=r"no address '127\.0\.0\.1' with port 70000"):
        _serve(monkeypatch, "--model", str(broken), "--port", "70000")
    with pytest.raises(FerflowError, match=f"port {taken} of 127.0.0.1 cannot be used"):
        _serve(monkeypatch, "--model", str(broken), "--port", str(taken))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_limit_that_is_no_number_is_told_before_a_server_starts(
    workers: str, monkeypatch: pytest.MonkeyPatch, broken: Path
) -> None:
    monkeypatch.setenv("FERFLOW_MOST_IMAGES", "many")
    with pytest.raises(FerflowError, match="FERFLOW_MOST_IMAGES is 'many'"):
        _serve(monkeypatch, "--model", str(broken), "--port", "0", "--workers", workers)


def test_no_worker_is_no_server(monkeypatch: pytest.MonkeyPatch, broken: Path) -> None:
    with pytest.raises(FerflowError, match="--workers is 0"):
        _serve(monkeypatch, "--model", str(broken), "--workers", "0")


@pytest.mark.parametrize("model", ["missing.keras", "network.onnx", "pipeline"])
def test_what_is_not_registered_is_not_served(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("network.onnx").touch()
    Path("pipeline").mkdir()
    Path("pipeline/model.keras").touch()
    with pytest.raises(FerflowError, match="no registered model, which serve needs"):
        _serve(monkeypatch, "--model", model)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_model_that_cannot_be_opened_ends_the_server(workers: str, broken: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ferflow.serve", "--model", str(broken)),
            *("--port", "0", "--workers", workers),
        ],
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 1
    assert "error: the model in" in done.stderr
    assert "cannot be opened" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_of_several_processes_says_that_it_is_ready(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    application = object()
    monkeypatch.setattr("ferflow.serving.server.make_app", lambda: application)
    assert import_from_string(WORKER_APP) is worker_app
    assert worker_app() is application
    assert f"process {os.getpid()} is ready" in capsys.readouterr().out


def test_a_model_is_fetched_to_nowhere_that_holds_other_things(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("thesis.txt").write_text("mine")
    for folder in (".", "thesis.txt"):
        # Before the store is asked: there is none.
        with pytest.raises(FerflowError, match=r"holds other files|is not a folder"):
            _serve(monkeypatch, "--fetch", folder)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
