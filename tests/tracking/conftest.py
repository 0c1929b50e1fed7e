from __future__ import annotations

import shutil
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
    database = tmp_path_factory.mktemp("database") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture
def store(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    database = tmp_path / "mlflow.db"
    shutil.copy(empty_database, database)
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
