from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from ferflow.tracking.data_used import DataUsed
from ferflow.tracking.store import Store, connect


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database: making one takes seconds, copying it none."""
    database = tmp_path_factory.mktemp("database") / "empty.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture
def store(empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store, at the same address in all tests: MLflow takes a second to open another one."""
    database = empty_database.with_name("mlflow.db")
    with (
        contextlib.closing(sqlite3.connect(empty_database)) as empty,
        contextlib.closing(sqlite3.connect(database)) as emptied,
    ):
        empty.backup(emptied)
    shutil.rmtree(database.with_name("mlruns"), ignore_errors=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    yield connect("ferflow-test")
    mlflow.set_tracking_uri(None)


@pytest.fixture
def data() -> DataUsed:
    labelled = pd.DataFrame(
        {
            "sample_id": [f"{i:016x}" for i in range(6)],
            "label": ["happy", "sad"] * 3,
            "split": ["train", "train", "val", "val", "test", "test"],
        }
    )
    return DataUsed("test", "data/test.zip", labelled, "d" * 64)


@pytest.fixture
def training() -> dict[str, Any]:
    return {
        "fingerprint": "f" * 64,
        "model": "cnn4",
        "architecture": "cnn4",
        "recipe": {"batch_size": 32, "options": {"dropout": 0.25}, "phases": {"all": {"epochs": 2}}},
        "seed": 1,
        "device": "cpu",
        "precision": "float32",
        "dataset": "test",
        "budget": "quick",
        "data_sha256": "d" * 64,
    }


@pytest.fixture
def history() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": [1, 2],
            "phase": "all",
            "learning_rate": [1e-3, 5e-4],
            "loss": [1.9, 1.5],
            "accuracy": [0.2, 0.4],
            "val_loss": [1.8, 1.6],
            "val_accuracy": [0.25, 0.35],
        }
    )
