from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ferflow.tracking.provenance import (
    NO_PATCH,
    how_to_reproduce,
    lock_sha256,
    provenance_tags,
    uncommitted_changes,
    why_not_kept,
)


def _git(*arguments: str) -> str:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *author, *arguments], check=True, capture_output=True).stdout.decode()


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


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
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
    assert uncommitted_changes() == b""


def test_changes_make_the_work_tree_again_from_the_commit(checkout: Path, tmp_path: Path) -> None:
    _git("rm", "--quiet", "stages/train.py")
    # Windows's ends of lines, and no UTF-8: a patch is bytes.
    (checkout / "src" / "code.py").write_bytes(b"changed\r\n\xe9\r\n")
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
    assert why_not_kept(patch) == ""
    (tmp_path / "changes.patch").write_bytes(patch)
    _git("-C", str(other), "apply", str(tmp_path / "changes.patch"))
    assert (other / "src" / "new.bin").read_bytes() == bytes(range(256))
    assert _contents(other) == _contents(checkout)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("params.yaml", "source: https://user:word@host/data.zip"),
        ("params.yaml", "source: https://host/data.zip?token=abc"),
        ("params.yaml", "password: hunter2"),
        ("dvc.yaml", "cmd: curl https://ann:hunter2@host/data"),
        ("src/code.py", 'AWS_SECRET_ACCESS_KEY = "abc/123"'),
    ],
)
def test_what_may_hold_credentials_is_not_kept_and_the_page_says_so(
    checkout: Path, file: str, text: str
) -> None:
    (checkout / file).write_text(f"{text}\n")
    reason = why_not_kept(uncommitted_changes())
    assert "password" in reason
    tags = {"git_commit": "abc", "git_dirty": "true", NO_PATCH: reason}
    page = how_to_reproduce(tags, "evaluate@cnn4", {})
    assert reason in page
    assert "git apply" not in page


def test_a_patch_that_is_too_long_or_that_git_does_not_tell_is_not_kept() -> None:
    assert "longer than 1,000,000" in why_not_kept(b"x" * 1_000_001)
    assert "does not tell" in why_not_kept(b"")


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("address", ["https://user:word@host/ferflow", "https://host/ferflow?token=abc"])
def test_the_address_of_the_repository_is_logged_without_credentials(address: str) -> None:
    _git("remote", "add", "origin", address)
    tags = provenance_tags("train@cnn4")
    assert tags["mlflow.source.git.repoURL"].startswith("https://host/ferflow")
    assert "word" not in str(tags)
    assert "abc" not in str(tags)


def test_outside_of_git_a_run_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    tags = provenance_tags("train@cnn4")
    assert tags["dvc_stage"] == "train@cnn4"
    assert not [name for name in tags if "git" in name]
    assert uncommitted_changes() == b""
    assert "no commit" in how_to_reproduce(tags, "evaluate@cnn4", {})


def test_the_commands_that_make_a_run_again_apply_what_was_changed() -> None:
    views = {"evaluate.horizontal_flip": "true", "evaluate.shift": "2"}
    clean = how_to_reproduce({"git_commit": "abc", "git_dirty": "false"}, "evaluate@cnn4", views)
    assert clean.splitlines() == [
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
