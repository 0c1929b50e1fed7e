from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from ferflow.errors import FerflowError
from ferflow.serving.container_model import put_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "stored"
    (folder / "artifacts").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors:")
    (folder / "requirements.txt").write_text("keras==1.0\nnumpy==2.0")
    (folder / "artifacts/network.keras").write_bytes(b"network")
    for path in (folder / "artifacts/network.keras", folder / "MLmodel"):
        path.chmod(0o600)
    (folder / "artifacts").chmod(0o700)
    return folder


@pytest.mark.parametrize("kept", ["file", "folder", "model", "link", "."])
def test_nothing_but_an_older_copy_is_replaced(
    kept: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = tmp_path / "precious"
    if kept == "file":
        precious.write_text("mine")
        thing = precious
    else:
        precious.mkdir()
        thing = precious / ("MLmodel" if kept == "model" else "thesis.txt")
        thing.write_text("mine")
    target = precious
    if kept == "link":
        target = tmp_path / "link"
        target.symlink_to(precious)
    if kept == ".":
        monkeypatch.chdir(precious)
        target = Path()
    with pytest.raises(FerflowError, match=r"is not a folder|holds other files"):
        put_model(model, target)
    assert thing.read_text() == "mine"


def test_a_copy_is_readable_for_all_and_replaces_an_older_one(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "build/model"
    (tmp_path / "build").mkdir()
    target.mkdir()
    put_model(model, target)
    (target / "left.over").touch()
    put_model(model, target)
    assert not (target / "left.over").exists()
    assert (target / "artifacts/network.keras").read_bytes() == b"network"
    for path in (target, *target.rglob("*")):
        others = path.stat().st_mode & 0o777
        assert others & 0o444 == 0o444, path
        assert path.is_file() or others & 0o111 == 0o111, path


def test_what_the_model_leaves_open_is_pinned(model: Path, tmp_path: Path) -> None:
    put_model(model, tmp_path / "copy")
    constraints = (tmp_path / "copy/server-constraints.txt").read_text().splitlines()
    for name in ("pillow", "fastapi", "uvicorn", "starlette"):
        assert f"{name}=={importlib.metadata.version(name)}" in constraints
    names = {line.partition("==")[0] for line in constraints}
    assert names.isdisjoint({"keras", "numpy", "ferflow"})


def test_a_place_that_cannot_be_written_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FerflowError, match="cannot be written"):
        put_model(model, tmp_path / "file/model")
