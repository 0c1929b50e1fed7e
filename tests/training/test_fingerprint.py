from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ferflow import models
from ferflow.params import Recipe
from ferflow.training import devices, fit
from ferflow.training.devices import Device
from ferflow.training.fingerprint import code_files, code_sha256, data_sha256, describe_training

SAMPLES = pd.DataFrame(
    {
        "sample_id": ["a1", "b2", "c3", "d4"],
        "label": ["happy", "sad", "fear", "happy"],
        "sha256": ["11", "22", "33", "44"],
        "source": ["a.png", "b.png", "c.png", "d.png"],
    }
)
SPLITS = pd.DataFrame({"sample_id": ["a1", "b2", "c3", "d4"], "split": ["train", "train", "val", "test"]})
RECIPE = {
    "input_size": 48,
    "options": {"dropout": 0.25},
    "batch_size": 32,
    "optimizer": "adam",
    "phases": {"all": {"trainable": "all", "epochs": 2, "learning_rate": 0.001}},
}


def described(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "model": "cnn4",
        "architecture": "cnn4",
        "recipe": Recipe.model_validate(RECIPE),
        "seed": 1,
        "device": Device("cpu", 1, "float32"),
        "data": "d" * 64,
        "code": "c" * 64,
    }
    return describe_training(**(facts | changes))


@pytest.mark.parametrize(
    "change",
    [
        {"model": "cnn4_wide"},
        {"architecture": "cnn2_small"},
        {"recipe": Recipe.model_validate(RECIPE | {"batch_size": 33})},
        {"recipe": Recipe.model_validate(RECIPE | {"options": {"dropout": 0.3}})},
        {"recipe": Recipe.model_validate(RECIPE | {"augment": {"rotation": 1.0}})},
        {
            "recipe": Recipe.model_validate(
                RECIPE | {"phases": {"all": {"trainable": "all", "epochs": 2, "learning_rate": 0.002}}}
            )
        },
        {"seed": 2},
        {"device": Device("cpu", 1, "mixed_bfloat16")},
        {"device": Device("gpu", 1, "float32")},
        {"device": Device("gpu", 2, "float32")},
        {"data": "e" * 64},
        {"code": "e" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_the_result_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert described(**change)["fingerprint"] != described()["fingerprint"]


def test_equal_trainings_have_equal_fingerprints() -> None:
    again = described(recipe=Recipe.model_validate(dict(reversed(RECIPE.items()))))
    assert again == described()
    assert len(again["fingerprint"]) == 64


def test_what_the_hardware_is_called_does_not_matter() -> None:
    one, two = (described(device=Device("gpu", 1, "float32", name)) for name in ("new", "newer"))
    assert one == two


def test_how_many_threads_share_the_work_does(monkeypatch: pytest.MonkeyPatch) -> None:
    before = described()
    monkeypatch.setattr(devices, "cpu_threads", lambda: 77)
    assert described()["fingerprint"] != before["fingerprint"]


@pytest.mark.parametrize(("column", "value"), [("label", "sad"), ("sha256", "99"), ("sample_id", "e5")])
def test_samples_decide_the_data_hash(column: str, value: str) -> None:
    samples, splits = SAMPLES.copy(), SPLITS.copy()
    samples.loc[3, column] = value
    if column == "sample_id":
        splits.loc[3, column] = value
    assert data_sha256(samples, splits) != data_sha256(SAMPLES, SPLITS)


def test_splits_decide_the_data_hash() -> None:
    splits = SPLITS.assign(split=["train", "val", "train", "test"])
    assert data_sha256(SAMPLES, splits) != data_sha256(SAMPLES, SPLITS)


def test_a_sample_without_a_split_is_not_used() -> None:
    assert data_sha256(SAMPLES, SPLITS[:3]) == data_sha256(SAMPLES[:3], SPLITS[:3])
    assert data_sha256(SAMPLES, SPLITS[:3]) != data_sha256(SAMPLES, SPLITS)
    left_out = SPLITS.assign(split=pd.Series(["train", "train", "val", None], dtype="str"))
    assert data_sha256(SAMPLES, left_out) == data_sha256(SAMPLES[:3], SPLITS[:3])


def test_the_order_of_rows_and_where_a_file_lay_do_not_matter() -> None:
    samples = SAMPLES.iloc[[2, 0, 3, 1]].assign(source="elsewhere.png")
    assert data_sha256(samples, SPLITS.iloc[::-1]) == data_sha256(SAMPLES, SPLITS)


def test_code_decides_its_hash(tmp_path: Path) -> None:
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    for file in files:
        file.write_text("pass\n", encoding="utf-8")
    before = code_sha256(files)
    files[1].write_text("pass  # changed\n", encoding="utf-8")
    assert code_sha256(files) != before


@pytest.mark.parametrize("architecture", models.architectures())
def test_the_code_is_the_architecture_and_all_of_training(architecture: str) -> None:
    files = code_files(architecture)
    names = [f"{file.parent.name}/{file.name}" for file in files]
    assert f"models/{architecture}.py" in names
    assert Path(inspect.getfile(fit)) in files
    assert {
        "ferflow/labels.py",
        "data/labelled.py",
        "models/layers.py",
        "models/pretrained.py",
        "training/augment.py",
        "training/phases.py",
        "training/pipeline.py",
    } <= {*names}
    others = {f"models/{other}.py" for other in models.architectures()} - {f"models/{architecture}.py"}
    assert not others & {*names}, "editing one architecture would retrain another"
    assert files == sorted(files) and all(file.is_file() for file in files)
