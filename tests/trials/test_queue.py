from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ferflow.errors import FerflowError
from ferflow.trials import queue

from .conftest import Repository

STATUS = """\
Task     Name                Created    Status
17b1534  cnn4-aaaaaaa        02:52 PM   Running
e22b0a1  cnn4-bbbbbbb        02:53 PM   Queued
e90ca40  cnn4-ccccccc        02:49 PM   Failed
0f10ea5  cnn4-ddddddd        02:43 PM   Success

Worker status: 1 active, 0 idle
"""


class Dvc:
    """Stands in for DVC's commands: notes them and answers `queue status`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[list[str]] = []
        self.status = 0
        self.interrupted = ""
        self._run = subprocess.run
        monkeypatch.setattr(subprocess, "run", self.run)

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if command[0] == "git":
            return self._run(command, **options)
        self.calls.append(command[3:])
        if self.interrupted and self.interrupted in command:
            raise KeyboardInterrupt
        output = STATUS if command[3:] == ["queue", "status"] else ""
        return subprocess.CompletedProcess(command, self.status, stdout=output)


@pytest.fixture
def dvc(monkeypatch: pytest.MonkeyPatch) -> Dvc:
    return Dvc(monkeypatch)


def test_experiments_of_the_present_commit_are_finished(repository: Repository) -> None:
    older = repository.commit()
    repository.write("file", "changed")
    present = repository.commit()
    repository.git("update-ref", f"refs/exps/{older[:2]}/{older[2:]}/before", older)
    repository.git("update-ref", f"refs/exps/{present[:2]}/{present[2:]}/cnn4-aaaaaaa", present)
    assert queue.finished() == {"cnn4-aaaaaaa": present}


def test_no_repository_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(FerflowError, match="trials need a git repository with a commit") as raised:
        queue.finished()
    assert "\n" not in str(raised.value)


def test_a_file_that_git_does_not_know_stops(repository: Repository) -> None:
    repository.write("src/known.py")
    repository.write(".gitignore", "*.pyc\n")
    repository.commit()
    repository.write("src/made.pyc")
    queue.require_in_git(["src"])
    repository.write("src/new.py")
    with pytest.raises(FerflowError, match=r"^src/new.py is not in git"):
        queue.require_in_git(["src"])


@pytest.mark.usefixtures("dvc")
def test_only_queued_and_running_are_unfinished() -> None:
    assert queue.unfinished() == {"cnn4-aaaaaaa": "Running", "cnn4-bbbbbbb": "Queued"}


def test_a_trial_is_queued_with_its_name_and_values(dvc: Dvc) -> None:
    queue.put("cnn4-aaaaaaa", "evaluate@cnn4", ["a.b=1", "c=2"])
    words = "exp run --queue --name cnn4-aaaaaaa --set-param a.b=1 --set-param c=2 evaluate@cnn4"
    assert dvc.calls == [words.split()]


def test_a_command_that_fails_is_one_line(dvc: Dvc) -> None:
    dvc.status = 255
    with pytest.raises(FerflowError, match=r"^`dvc repro validate` failed; its message"):
        queue.reproduce("validate")


def test_an_interrupt_ends_what_runs_and_keeps_what_waits(dvc: Dvc) -> None:
    dvc.interrupted = "--run-all"
    with pytest.raises(KeyboardInterrupt):
        queue.run_all(2)
    assert dvc.calls == [
        ["exp", "run", "--run-all", "--jobs", "2"],
        ["queue", "stop"],
        ["queue", "status"],
        ["queue", "kill", "cnn4-aaaaaaa"],
    ]
