"""Measure what MLflow costs a training beyond itself: in its process, and in the register stage.

A temporary SQLite store is filled with the runs of a folder of reports, as the stages do it: each is begun,
told its epochs, ended, and completed with scores and artifacts. The median of the models counts. The store
is made in a first run that is not counted; importing MLflow is timed in a process of its own that has
imported Keras before, as the train stage has.

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

_PARTS: Final = (
    "opening the store",
    "a run that begins, is told its epochs, and ends",
    "its scores, report and figures, in the register stage",
)
_IMPORTS: Final = """
import time, keras
start = time.perf_counter()
import ferflow.tracking.runs
print(time.perf_counter() - start)
"""


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path, default=Path("reports/sample/quick"), help="of one budget")
    arguments = parser.parse_args()

    imports = [seconds_of_imports() for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        parts = measure(arguments.reports)
    print(as_table({"importing MLflow": statistics.median(imports), **parts}))


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
    connect("ferflow-benchmark")

    seconds: dict[str, list[float]] = {}
    for model in models:
        start = time.perf_counter()
        store = connect("ferflow-benchmark")
        opened = time.perf_counter()
        with live_run(store, model.training(), data) as log_epoch:
            for epoch in model.history().to_dict("records"):
                log_epoch(epoch)
        trained = time.perf_counter()
        project(store, [model], data)
        moments = (opened - start, trained - opened, time.perf_counter() - trained)
        for part, taken in zip(_PARTS, moments, strict=True):
            seconds.setdefault(part, []).append(taken)
    return {part: statistics.median(values) for part, values in seconds.items()}


def seconds_of_imports() -> float:
    """Return how long MLflow takes to import, in a new process that has Keras already."""
    answer = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", _IMPORTS], capture_output=True, text=True, check=True
    )
    return float(answer.stdout.splitlines()[-1])


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
