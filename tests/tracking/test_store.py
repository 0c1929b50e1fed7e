from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ferflow.errors import FerflowError, without_credentials
from ferflow.tracking.store import connect, connect_or_warn, is_experiment_copy, plain_address, tracking_uri


def test_the_environment_names_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")
    assert tracking_uri(tmp_path) == "http://mlflow.example:5000"


def test_default_store_lies_in_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path.resolve() / 'mlflow.db'}"


def test_queued_experiment_uses_the_store_of_its_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "standalone" / "tmpabc"
    assert tracking_uri(copy) == f"sqlite:///{tmp_path.resolve() / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///runs/own.db")
    assert tracking_uri(copy) == f"sqlite:///{tmp_path.resolve() / 'runs' / 'own.db'}"
    assert is_experiment_copy(copy)
    assert not is_experiment_copy(tmp_path)


@pytest.mark.parametrize("uri", ["sqlite:///broken.db", "mysql://127.0.0.1/mlflow"])
def test_broken_store_is_one_line_and_no_reason_not_to_train(
    uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.db").write_text("this is no database, but more than a hundred bytes of text" * 9)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(FerflowError, match="does not work"):
        connect("ferflow-test")
    assert connect_or_warn("ferflow-test") is None
    assert capsys.readouterr().err.count("warning: ") == 1


def test_mlflow_gets_an_address_without_the_credentials_that_it_would_print(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "another")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "another")
    assert plain_address("https://ann:p%40ss@host:5000/mlflow") == "https://host:5000/mlflow"
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    assert [os.environ[name] for name in names] == ["ann", "p@ss"]
    for other in ("http://host:5000", "postgresql://user:pass@db/mlflow", "sqlite:////tmp/a@b.db"):
        assert plain_address(other) == other
    assert [os.environ[name] for name in names] == ["ann", "p@ss"]


def test_dead_server_is_one_line_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # to be put back
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    start = time.monotonic()
    with pytest.raises(FerflowError, match=r"http://127\.0\.0\.1:9 does not work") as caught:
        connect("ferflow-test")
    assert time.monotonic() - start < 20
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://user:pass@db/mlflow", "postgresql://db/mlflow"),
        ("https://host:5000/path@x", "https://host:5000/path@x"),
        ("sqlite:////tmp/a@b.db", "sqlite:////tmp/a@b.db"),
        (
            "https://h/a.zip?access_token=x&sig=y&api_key=z&v=1",
            "https://h/a.zip?access_token=***&sig=***&api_key=***&v=1",
        ),
        ("https://h/a?X-Amz-Credential=x&auth=y&pwd=z", "https://h/a?X-Amz-Credential=***&auth=***&pwd=***"),
        ("https://h/monkey=1?design=2&author=me", "https://h/monkey=1?design=2&author=me"),
        ("failed at https://user:p@ss@host/x?token=abc&y=1", "failed at https://host/x?token=***&y=1"),
    ],
)
def test_credentials_are_not_shown(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown


def test_processes_may_create_the_store_at_once(tmp_path: Path) -> None:
    program = "from ferflow.tracking.store import connect; print('id', connect('ferflow-test').experiment_id)"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert len({out.split("id ")[1].strip() for out, _ in answers}) == 1
