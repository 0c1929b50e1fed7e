from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ferflow.params import Params, load_params

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def params() -> Params:
    content = load_params(ROOT / "params.yaml")
    return content.model_copy(update={"dataset": "sample", "budget": "quick"})


class Repository:
    """A git repository in the working directory."""

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@b.example")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def write(self, path: str, text: str = "") -> Path:
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "as it is")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    made = Repository()
    made.git("init", "--quiet")
    return made
