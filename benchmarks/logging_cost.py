"""Measure what MLflow costs a training beyond itself: in its process, and in the register stage.

A temporary SQLite store is filled with the runs of a folder of reports, as the stages do it: each is begun,
told its epochs, ended, and completed with scores and artifacts. The median of the models counts. The store
is made before, which is not counted; importing MLflow and opening the store are timed in processes of their
own that have imported Keras before, as the train stage has.

    python benchmarks/logging_cost.py --reports reports/sample/quick
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from ferflow.evaluation.report_folders import report_folders
from ferflow.files import read_json, read_table
from ferflow.params import load_params
from ferflow.stage import run

_START: Final = ("importing MLflow", "opening the store")
_PARTS: Final = (
    "a run that begins, is told its epochs, and ends",
    "its scores, report and figures, in the register stage",
)
_PROGRAM: Final = """
import time, keras
start = time.perf_counter()
import ferflow.tracking.runs
from ferflow.tracking.store import connect
imported = time.perf_counter()
connect("ferflow-benchmark")
print(imported - start, time.perf_counter() - imported)
"""


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path, default=Path("reports/sample/quick"), help="of one budget")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        parts = measure(arguments.reports)
        starts = [seconds_of_start() for _ in range(3)]
    medians = (statistics.median(values) for values in zip(*starts, strict=True))
    print(as_table({**dict(zip(_START, medians, strict=True)), **parts}))


def measure(reports: Path) -> dict[str, float]:
    """Return the median seconds of each part of logging one run."""
    from ferflow.tracking.data_used import DataUsed
    from ferflow.tracking.projection import TrainedModel, project
    from ferflow.tracking.runs import live_run
    from ferflow.tracking.store import connect

    params = load_params()
    costs = read_json(reports / "costs.json")
    models = [
        TrainedModel(name, Path(), folder, costs[name])
        for name, folder in report_folders(reports, params).items()
        if name in params.models
    ]
    rows = read_table(models[0].report / "predictions.parquet")[["sample_id", "label", "split"]]
    data = DataUsed(params.dataset, params.source.source, rows, "0" * 64)
    store = connect("ferflow-benchmark")

    seconds: dict[str, list[float]] = {}
    for model in models:
        start = time.perf_counter()
        with live_run(store, model.training(), data) as log_epoch:
            for epoch in model.history().to_dict("records"):
                log_epoch(epoch)
        trained = time.perf_counter()
        project(store, [model], data)
        moments = (trained - start, time.perf_counter() - trained)
        for part, taken in zip(_PARTS, moments, strict=True):
            seconds.setdefault(part, []).append(taken)
    return {part: statistics.median(values) for part, values in seconds.items()}


def seconds_of_start() -> tuple[float, float]:
    """Return how long MLflow takes to import and its store to open, in a process that has Keras already."""
    answer = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    imports, store = map(float, answer.stdout.split()[-2:])
    return imports, store


def as_table(seconds: dict[str, float]) -> str:
    """Return the seconds of each part and their sum as a Markdown table."""
    rows = [f"| {name} | {taken:.2f} |" for name, taken in seconds.items()]
    return "\n".join(
        [
            "| what MLflow costs a training | seconds |",
            "|---|---:|",
            *rows,
            f"| **together** | **{sum(seconds.values()):.2f}** |",
        ]
    )


if __name__ == "__main__":
    run(main)
