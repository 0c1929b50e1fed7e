"""Measure how long the training stage takes from the start of its process to the end of its first step.

The stage itself runs, in a process of its own that ends after that step, and notes when it first calls some
functions. Its MLflow store is a temporary one, made in a first run that is not counted; the median of the
others is shown. The data have to be there: `dvc repro split`.

    python benchmarks/start_up.py --model cnn2_small --data data/sample --rounds 3
"""

from __future__ import annotations

import argparse
import builtins
import functools
import json
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ferflow.errors import FerflowError
from ferflow.stage import run

ROOT: Final = Path(__file__).parents[1]
#: What ends when a function is called for the first time: module, object in it, name.
MARKS: Final = {
    "interpreter, arguments, light imports": ("ferflow.params", "load_params"),
    "params.yaml, tables, images": ("ferflow.stage", "heavy_imports"),
    "importing TensorFlow, Keras, MLflow": ("ferflow.training.devices", "prepare"),
    "device, fingerprint": ("ferflow.models", "build"),
    "building the model": ("ferflow.tracking.store", "connect_or_warn"),
    "starting the MLflow run": ("ferflow.training.fit", "train"),
    "cloning and compiling the model": ("keras", "Model.fit"),
    "tracing and running the first step": ("ferflow.training.callbacks", "StopOnNaN.on_train_batch_end"),
}
LAST: Final = list(MARKS)[-1]


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="cnn2_small", help="its name in params.yaml (default cnn2_small)")
    parser.add_argument("--data", type=Path, default=Path("data/sample"), help="folder with images.npy")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds (default 3)")
    parser.add_argument("--marks", type=Path, help=argparse.SUPPRESS)
    arguments, stage = parser.parse_known_args()
    if arguments.marks:
        run_stage(arguments.marks, ["--model", arguments.model, *stage])
    if not (arguments.data / "splits.parquet").is_file():
        raise FerflowError(f"{arguments.data}/splits.parquet is missing: run `dvc repro split`.")
    with tempfile.TemporaryDirectory() as folder:
        rounds = [measure(arguments.model, arguments.data, Path(folder)) for _ in range(arguments.rounds + 1)]
    print(as_table({name: statistics.median(each[name] for each in rounds[1:]) for name in MARKS}))


def measure(model: str, data: Path, folder: Path) -> dict[str, float]:
    """Return the seconds of each part of one start."""
    marks = folder / "marks.json"
    begin = time.time()
    subprocess.run(  # noqa: S603 - the stage of this project
        [
            *(sys.executable, __file__, "--marks", str(marks), "--model", model),
            *("--images", str(data / "images.npy"), "--samples", str(data / "samples.parquet")),
            *("--splits", str(data / "splits.parquet"), "--out", str(folder / "model")),
            *("--history", str(folder / "history.csv"), "--checkpoint", str(folder / "checkpoint")),
            *("--times", str(folder / "times")),
        ],
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds = {}
    for name, moment in json.loads(marks.read_text(encoding="utf-8")).items():
        seconds[name], begin = moment - begin, moment
    return seconds


def run_stage(marks: Path, arguments: list[str]) -> None:
    """Run the stage in this process, note when it calls what, and end after its first step."""
    moments: dict[str, float] = {}

    def mark(name: str) -> None:
        moments.setdefault(name, time.time())
        if name == LAST:
            marks.write_text(json.dumps(moments), encoding="utf-8")
            os._exit(0)

    watch_imports(mark)
    sys.argv = ["train.py", *arguments]
    runpy.run_path(str(ROOT / "stages" / "train.py"), run_name="__main__")


def watch_imports(mark: Callable[[str], None]) -> None:
    """Call `mark` before each function of `MARKS`, from the moment at which its module is imported."""
    waiting = dict(MARKS)
    original = builtins.__import__

    def watched(name: str, *rest: Any, **options: Any) -> Any:
        module = original(name, *rest, **options)
        for label, (where, path) in list(waiting.items()):
            found = sys.modules.get(where)
            *parents, function = path.split(".")
            owner = functools.reduce(lambda node, part: getattr(node, part, None), parents, found)
            if hasattr(owner, function):
                del waiting[label]
                setattr(owner, function, marked(getattr(owner, function), functools.partial(mark, label)))
        return module

    builtins.__import__ = watched


def marked(function: Callable[..., Any], mark: Callable[[], None]) -> Callable[..., Any]:
    """Return `function`, which calls `mark` first."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        mark()
        return function(*arguments, **options)

    return wrapper


def as_table(seconds: dict[str, float]) -> str:
    """Return the seconds of each part and their sum as a Markdown table."""
    rows = [f"| {name} | {taken:.2f} |" for name, taken in seconds.items()]
    return "\n".join(
        [
            "| from the start of the process to the first training step | seconds |",
            "|---|---:|",
            *rows,
            f"| **together** | **{sum(seconds.values()):.2f}** |",
        ]
    )


if __name__ == "__main__":
    run(main)
