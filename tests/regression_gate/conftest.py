from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ferflow.gate import differences
from ferflow.gate.__main__ import main

from .projects import Project, truth


@dataclass(frozen=True)
class Outcome:
    """What a run of the gate left behind."""

    status: int
    out: str
    err: str
    markdown: str
    verdict: dict[str, Any]

    def messages(self, kind: str) -> str:
        findings = self.verdict.get("findings", [])
        return "\n".join(
            f"{found['where']}: {found['message']}" for found in findings if found["kind"] == kind
        )


Gate = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the time, and p-values that are still ten times finer than what is asked of them."""
    monkeypatch.setattr(differences, "_DRAWS", 2000)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("gate") / "project"
    root.mkdir()
    return Project(root, truth(test=800))


@pytest.fixture
def project(template: Project, tmp_path: Path) -> Project:
    """A committed project that a test may change."""
    root = tmp_path / "project"
    shutil.copytree(template.root, root)
    copy = object.__new__(Project)
    copy.root, copy.labels = root, template.labels
    return copy


@pytest.fixture
def gate(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Gate:
    """Run the gate's command in the project's folder."""

    def run(*arguments: str, base: str | None = "HEAD", root: Path | None = None) -> Outcome:
        summary, verdict = tmp_path / "summary.md", tmp_path / "verdict.json"
        files = ["--summary", str(summary), "--json", str(verdict)]
        monkeypatch.chdir(root or project.root)
        monkeypatch.setattr(sys, "argv", ["gate", *(["--base", base] if base else []), *files, *arguments])
        verdict.unlink(missing_ok=True)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Outcome(
            status=int(ended.value.code or 0),
            out=printed.out,
            err=printed.err,
            markdown=summary.read_text(encoding="utf-8"),
            verdict=json.loads(verdict.read_text(encoding="utf-8")) if verdict.exists() else {},
        )

    return run
