"""Trainings that are really killed: SIGKILL leaves them no time to write or to say anything."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import killable
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from ferflow.labels import EMOTIONS

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-u", killable.__file__]
STAGE = [
    *(sys.executable, "-u", str(ROOT / "stages" / "train.py"), "--model", "small"),
    *("--images", "images.npy", "--samples", "samples.parquet", "--splits", "splits.parquet"),
    *("--out", "model", "--history", "history.csv", "--checkpoint", "checkpoint", "--times", "times"),
]
KILLS = 10


def start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_after(process: subprocess.Popen[str], text: str, seconds: float, *, times: int = 1) -> str:
    """Kill a process some time after it has printed `text` so many times; return all that it printed."""
    assert process.stdout
    printed = ""
    for line in process.stdout:
        printed += line
        if printed.count(text) == times:
            time.sleep(seconds)
            process.kill()
            break
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, printed + rest
    return printed + rest


def finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    return printed


def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    killable.main(tmp_path / "expected.npz", None)
    command = [*PROGRAM, "checkpoint", "weights.npz"]
    kill_after(start(command, tmp_path), "Epoch 3/4", random.Random(1).uniform(0.0, 0.2))  # noqa: S311
    assert "train: going on after epoch " in finish(start(command, tmp_path))
    with np.load(tmp_path / "expected.npz") as expected, np.load(tmp_path / "weights.npz") as weights:
        for name in expected.files:
            np.testing.assert_array_equal(weights[name], expected[name])


def a_project(folder: Path) -> Path:
    """A folder in which the stage trains a small model for some hundred short epochs."""
    folder.mkdir()
    count = 24 * len(EMOTIONS)
    generator = np.random.default_rng(0)
    np.save(folder / "images.npy", generator.integers(0, 256, (count, 48, 48, 1), dtype=np.uint8))
    samples = pd.DataFrame({"sample_id": [f"s{number:04}" for number in range(count)]})
    samples["label"] = [EMOTIONS[number % len(EMOTIONS)] for number in range(count)]
    samples["sha256"] = [f"{number:064x}" for number in range(count)]
    samples.to_parquet(folder / "samples.parquet")
    splits = samples[["sample_id"]].assign(reason=None)
    splits["split"] = np.where(np.arange(count) < count // 2, "train", "val")
    splits.to_parquet(folder / "splits.parquet")
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    phase: dict[str, Any] = {"trainable": "all", "epochs": 150, "learning_rate": 0.001}
    model = {
        "architecture": "cnn2_small",
        "recipe": {
            "input_size": 16,
            "batch_size": 16,
            "optimizer": "adam",
            "augment": {"rotation": 10.0, "mixup": 0.2},
            "ema_momentum": 0.99,
            "reduce_lr_on_plateau": {"factor": 0.5, "patience": 10},
            "early_stopping": {"monitor": "val_accuracy", "patience": 100},
        },
        "quick": {"phases": {"one": phase, "two": phase | {"learning_rate": 0.0001}}},
        "full": {"phases": {"one": phase}},
    }
    params["models"] = {"small": model}
    with (folder / "params.yaml").open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(params, stream)
    return folder


def outputs(project: Path) -> dict[str, bytes]:
    files = ("history.csv", "model/model.keras", "model/training.json")
    return {name: (project / name).read_bytes() for name in files}


def logged(project: Path) -> list[tuple[Any, ...]]:
    """Every metric of an epoch in MLflow, of whatever run that is not deleted."""
    query = (
        "SELECT key, step, value FROM metrics JOIN runs USING (run_uuid) "
        "WHERE lifecycle_stage = 'active' AND key LIKE 'epoch/%' ORDER BY key, step"
    )
    with contextlib.closing(sqlite3.connect(project / "mlflow.db")) as store:
        metrics = store.execute(query).fetchall()
    assert len(metrics) == 5 * len(pd.read_csv(project / "history.csv"))
    return metrics


@pytest.mark.slow
def test_a_stage_that_is_killed_ten_times_in_a_row_writes_the_same_bytes(tmp_path: Path) -> None:
    undisturbed, disturbed = a_project(tmp_path / "undisturbed"), a_project(tmp_path / "disturbed")
    finish(start(STAGE, undisturbed))
    moments = random.Random(2013)  # noqa: S311
    for _ in range(KILLS):
        # In the first epoch or in one soon after: in a step, in validation, while a checkpoint is written.
        printed = kill_after(
            start(STAGE, disturbed), "Epoch ", moments.uniform(0.0, 0.5), times=moments.randint(1, 12)
        )
        assert not (disturbed / "model").exists()
    assert "train: going on after epoch " in printed
    finish(start(STAGE, disturbed))
    assert outputs(disturbed) == outputs(undisturbed)
    assert logged(disturbed) == logged(undisturbed), (
        "the run lacks epochs from before a kill, or is not alone"
    )
    assert not (disturbed / "checkpoint").exists(), "what is finished leaves no checkpoint"
