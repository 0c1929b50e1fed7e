from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferflow.errors import FerflowError
from ferflow.training.checkpoint import Checkpoint, Progress

OURS, OTHER = "a" * 64, "b" * 64
PROGRESS = Progress(
    phase=1,
    epoch=3,
    history=[{"epoch": 1, "phase": "all", "loss": 0.1 + 0.2}],
    model=[np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 2], np.uint32)],
    optimizer=[np.array(7, np.int64)],
    callbacks=[{"best": None, "wait": 2, "best_weights": [np.array([np.pi], "float32")]}, {}],
    targets=[np.eye(2, dtype=np.float32)],
    seconds=61.5,
)


def assert_equal(value: Any, expected: Any) -> None:
    assert type(value) is type(expected)
    if isinstance(expected, np.ndarray):
        assert value.dtype == expected.dtype
        np.testing.assert_array_equal(value, expected)
    elif isinstance(expected, list):
        assert len(value) == len(expected)
        for one, other in zip(value, expected, strict=True):
            assert_equal(one, other)
    elif isinstance(expected, dict):
        assert value.keys() == expected.keys()
        for key in expected:
            assert_equal(value[key], expected[key])
    else:
        assert value == expected


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "new" / "folder", OURS)
    assert checkpoint.load() is None
    checkpoint.save(PROGRESS)
    loaded = Checkpoint(tmp_path / "new" / "folder", OURS).load()
    assert loaded is not None
    for name in Progress.__slots__:
        assert_equal(getattr(loaded, name), getattr(PROGRESS, name))


def test_it_holds_no_pickle(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, OURS)
    checkpoint.save(PROGRESS)
    with np.load(checkpoint.file, allow_pickle=False) as entries:
        assert json.loads(entries["tree"].tobytes())["epoch"] == 3
        assert all(entries[name].dtype != object for name in entries.files)


def test_the_last_state_stays_until_the_next_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path, OURS)
    checkpoint.save(PROGRESS)
    before = checkpoint.file.read_bytes()

    def half(file: Path, **_: Any) -> None:
        file.write_bytes(before[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(
        FerflowError, match=rf"{checkpoint.file} cannot be written \(no space left on device\)"
    ):
        checkpoint.save(PROGRESS)
    assert checkpoint.file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [checkpoint.file]


def flipped(content: bytes) -> bytes:
    at = content.index(np.array([np.pi], "float32").tobytes())
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-200], lambda content: content[:50], flipped, lambda _: b"", lambda _: b"text"],
    ids=["end lost", "beginning only", "one bit", "empty", "not a checkpoint"],
)
def test_a_damaged_file_costs_one_line(
    damage: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = Checkpoint(tmp_path, OURS)
    checkpoint.save(PROGRESS)
    checkpoint.file.write_bytes(damage(checkpoint.file.read_bytes()))
    assert checkpoint.load() is None
    printed = capsys.readouterr().out
    assert printed.startswith(f"train: {checkpoint.file} cannot be used (")
    assert printed.endswith("): starting over\n") and printed.count("\n") == 1


@pytest.mark.parametrize("change", [{"fingerprint": OTHER}, {"format": 0}, {"epochs": 3}])
def test_a_foreign_file_costs_one_line(
    change: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = Checkpoint(tmp_path, OURS)
    checkpoint.save(PROGRESS)
    with np.load(checkpoint.file) as entries:
        content = dict(entries)
    tree = json.loads(content.pop("tree").tobytes()) | change
    np.savez(checkpoint.file, tree=np.frombuffer(json.dumps(tree).encode(), np.uint8), **content)
    assert checkpoint.load() is None
    assert capsys.readouterr().out.count("\n") == 1


def test_other_trainings_of_the_model_are_removed_and_nothing_else(tmp_path: Path) -> None:
    other, ours = Checkpoint(tmp_path, OTHER), Checkpoint(tmp_path, OURS)
    other.save(PROGRESS)
    other.features(0).write_bytes(b"")
    (tmp_path / f".{OURS}.123.tmp.npz").write_bytes(b"killed while it was written")
    (tmp_path / "notes.txt").write_text("someone's")
    ours.save(PROGRESS)
    ours.features(1).write_bytes(b"")
    assert ours.load() is not None
    assert {file.name for file in tmp_path.iterdir()} == {
        ours.file.name,
        ours.features(1).name,
        "notes.txt",
    }
    ours.discard()
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_finished_training_leaves_no_folder(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint", OURS)
    checkpoint.discard()
    checkpoint.save(PROGRESS)
    checkpoint.discard()
    assert list(tmp_path.iterdir()) == []
