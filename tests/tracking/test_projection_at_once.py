from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from ferflow.tracking.store import Store

_REPORTS = Path(__file__).parents[2] / "reports" / "sample" / "quick" / "models"

#: Both processes stand between having found no run and making one until the other one does too, or cannot.
_PROGRAM = """
import sys, time
from pathlib import Path
from ferflow.files import read_table
from ferflow.tracking import runs
from ferflow.tracking.data_used import DataUsed
from ferflow.tracking.projection import TrainedModel, project
from ferflow.tracking.store import connect

reports, folder, me, other = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
original = runs.rebuild_run

def rebuild(store, training, *rest):
    name = training["model"]
    (folder / f"{name}-{me}").touch()
    deadline = time.monotonic() + 3
    while not (folder / f"{name}-{other}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return original(store, training, *rest)

runs.rebuild_run = rebuild
models = [TrainedModel(name, Path(), reports / name) for name in ("cnn4", "cnn2_small")]
rows = read_table(models[0].report / "predictions.parquet")[["sample_id", "label", "split"]]
project(connect("ferflow-test"), models, DataUsed("sample", "data/sample.zip", rows, "0" * 64))
"""


def test_two_processes_at_once_make_one_run_for_each_training(store: Store, tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(_REPORTS), str(tmp_path), *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for names in (("one", "two"), ("two", "one"))
    ]
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    found = store.client.search_runs([store.experiment_id])
    assert Counter(run.data.tags["model"] for run in found) == {"cnn4": 1, "cnn2_small": 1}
    assert {run.info.status for run in found} == {"FINISHED"}
    assert all("val/macro_f1" in run.data.metrics for run in found)
