from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ferflow.params import Params
from ferflow.trials.grid import grid
from ferflow.trials.names import name_trials


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "sample"
    folder.mkdir(parents=True)
    table = pd.DataFrame({"sample_id": ["a", "b"], "sha256": ["0" * 64, "1" * 64], "label": ["sad", "fear"]})
    table.to_parquet(folder / "samples.parquet")
    table.assign(split=["train", "val"])[["sample_id", "split"]].to_parquet(folder / "splits.parquet")
    return table


def test_a_name_stands_for_a_training(params: Params, samples: pd.DataFrame) -> None:
    first = name_trials(params, "cnn2_small", grid(params, "cnn2_small", ["batch_size=16,32"]))
    again = name_trials(params, "cnn2_small", grid(params, "cnn2_small", ["batch_size=32,64"]))
    assert [trial.recipe.batch_size for trial in first.values()] == [16, 32]
    assert [name for name in first if name in again] == [list(first)[1]]
    assert all(name.startswith("cnn2_small-") for name in first)

    samples.assign(label="happy").to_parquet("data/sample/samples.parquet")
    other_data = name_trials(params, "cnn2_small", grid(params, "cnn2_small", ["batch_size=16,32"]))
    assert not first.keys() & other_data.keys()
