from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ferflow.tracking.provenance import (
    how_to_reproduce,
    lock_sha256,
    provenance_tags,
    uncommitted_changes,
)


def _git(*arguments: str) -> str:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *author, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project, which is the working directory."""
    folder = tmp_path / "project"
    for name in ("src/code.py", "stages/train.py", "params.yaml", "dvc.yaml", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    monkeypatch.chdir(folder)
    _git("init", "--quiet", "--initial-branch=main")
    _git("add", "--all")
    _git("commit", "--quiet", "--message=first")
    return folder


def _contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in folder.rglob("*")
        if file.is_file() and ".git" not in file.parts
    }


def test_a_clean_checkout_is_its_commit(checkout: Path) -> None:
    commit = _git("rev-parse", "HEAD").strip()
    # What the pipeline itself writes, and texts, decide no result.
    (checkout / "README.md").write_text("another")
    (checkout / "dvc.lock").write_text("written")
    tags = provenance_tags("train@cnn4")
    assert (tags["git_commit"], tags["git_dirty"]) == (commit, "false")
    assert tags["mlflow.source.name"] == "dvc repro train@cnn4"
    assert tags["mlflow.source.git.commit"] == commit
    assert uncommitted_changes() == ""


def test_changes_make_the_work_tree_again_from_the_commit(checkout: Path, tmp_path: Path) -> None:
    _git("rm", "--quiet", "stages/train.py")
    (checkout / "src" / "code.py").write_text("changed\n")
    (checkout / "src" / "new.py").write_text("new\n")
    (checkout / "src" / "new.bin").write_bytes(bytes(range(256)))
    (checkout / "params.yaml").write_text("staged\n")
    _git("add", "params.yaml")
    (checkout / "params.yaml").write_text("and changed again\n")
    before = _git("status", "--porcelain"), _git("count-objects")
    assert provenance_tags("train@cnn4")["git_dirty"] == "true"
    patch = uncommitted_changes()
    assert (_git("status", "--porcelain"), _git("count-objects")) == before
    other = tmp_path / "other"
    _git("clone", "--quiet", str(checkout), str(other))
    (tmp_path / "changes.patch").write_text(patch)
    _git("-C", str(other), "apply", str(tmp_path / "changes.patch"))
    assert (other / "src" / "new.bin").read_bytes() == bytes(range(256))
    (other / "src" / "new.bin").unlink()
    (checkout / "src" / "new.bin").unlink()
    assert _contents(other) == _contents(checkout)


@pytest.mark.parametrize("source", ["https://user:word@host/data.zip", "https://host/data.zip?token=abc"])
def test_an_address_with_credentials_is_kept_nowhere(checkout: Path, source: str) -> None:
    (checkout / "params.yaml").write_text(f"source: {source}\n")
    assert uncommitted_changes() == ""
    _git("remote", "add", "origin", source)
    assert "word" not in str(provenance_tags("train@cnn4"))
    assert "abc" not in str(provenance_tags("train@cnn4"))


def test_outside_of_git_a_run_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    tags = provenance_tags("train@cnn4")
    assert tags["dvc_stage"] == "train@cnn4"
    assert not [name for name in tags if "git" in name]
    assert uncommitted_changes() == ""
    assert "no commit" in how_to_reproduce(tags, "evaluate@cnn4", {})


def test_the_commands_that_make_a_run_again_apply_what_was_changed() -> None:
    views = {"evaluate.horizontal_flip": "true", "evaluate.shift": "2"}
    clean = how_to_reproduce({"git_commit": "abc", "git_dirty": "false"}, "evaluate@cnn4", views)
    assert clean.splitlines()[2:] == [
        "```",
        "git checkout abc",
        "python -m ferflow.switch evaluate.horizontal_flip=true evaluate.shift=2",
        "dvc repro evaluate@cnn4",
        "```",
    ]
    dirty = how_to_reproduce({"git_commit": "abc", "git_dirty": "true"}, "evaluate@cnn4", views)
    assert "git apply changes.patch   # reproduce/changes.patch" in dirty


def test_the_hash_of_a_stage_changes_with_that_stage_alone(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text("stages:\n  train@a: {cmd: x, outs: [{md5: '1'}]}\n  train@b: {cmd: x}\n")
    first = lock_sha256("train@a", lock), lock_sha256("train@b", lock)
    lock.write_text("stages:\n  train@b: {cmd: x}\n  train@a: {cmd: x, outs: [{md5: '2'}]}\n")
    second = lock_sha256("train@a", lock), lock_sha256("train@b", lock)
    assert None not in first
    assert first[0] != second[0]
    assert first[1] == second[1]
    assert lock_sha256("train@c", lock) is None
    assert lock_sha256("train@a", tmp_path / "missing") is None
    lock.write_text("stages: [\n")
    assert lock_sha256("train@a", lock) is None
