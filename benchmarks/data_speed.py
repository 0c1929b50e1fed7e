"""Measure speed and memory of the data stages on a data set of class folders, e.g. FER-2013's 35,887 JPEGs.

    python benchmarks/data_speed.py fer2013.zip

1. ingest (finding the layout, reading, decoding, hashing, statistics, checks, writing) against merely
   reading the files one by one with `keras.utils.load_img` and `img_to_array`: fresh processes in turn,
   files in the system's cache, imports left out on both sides; the median round counts.
2. validate, the whole process, on all samples and on ten times as many.
3. Peak memory of ingest and split on a part of the files, on ten copies of each of them, and on all.

Memory is that of a process and its children; in 1. it is what lies above the same process with its imports.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import psutil

from ferflow.data.arrays import ImageWriter, open_images
from ferflow.errors import FerflowError
from ferflow.files import write_parquet
from ferflow.stage import heavy_imports, run

ROOT: Final = Path(__file__).parents[1]
ROUNDS: Final = 3
TIMES: Final = 10
PART: Final = 3000
IMAGE_SIZE: Final = 48
POLL_SECONDS: Final = 0.05
STORED: Final = "--images images.npy --samples samples.parquet --rejects rejects.csv"
STAGES: Final = {
    "ingest": f"--raw raw {STORED}",
    "split": "--samples samples.parquet --splits splits.parquet",
    "validate": f"{STORED} --splits splits.parquet --out report --passed passed.json",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds by the clock, the peak of its memory in MB, and what it printed."""

    seconds: float
    peak_mb: float
    output: str


def main() -> None:
    """Measure, and print three Markdown tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of the unpacked data set, or its archive")
    parser.add_argument("--task", choices=("keras", "ingest"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        (read_with_keras if arguments.task == "keras" else ingest_all)(arguments.data)
        return
    if not arguments.data.exists():
        raise FerflowError(f"{arguments.data} does not exist: give the folder or archive of a data set.")
    with tempfile.TemporaryDirectory(prefix="data_speed.") as name:
        folder, raw = Path(name), arguments.data.resolve()
        if raw.is_file():
            shutil.unpack_archive(raw, folder / "unpacked")
            raw = folder / "unpacked"
        print(reading_table(raw), end="\n\n", flush=True)
        print(validate_table(folder / "validate", raw), end="\n\n", flush=True)
        print(memory_table(folder / "memory", raw))


def reading_table(raw: Path) -> str:
    """Compare the two ways of reading, in fresh processes in turn."""
    count = sum(len(file.read_bytes()) > 0 for file in files_below(raw))  # and into the system's cache
    seconds: dict[str, list[float]] = {"keras": [], "ingest": []}
    memory: dict[str, float] = {"keras": 0, "ingest": 0}
    for _ in range(ROUNDS):
        for task in seconds:
            cost = measure([sys.executable, __file__, str(raw), "--task", task], ROOT)
            found = json.loads(cost.output)
            seconds[task].append(found["seconds"])
            memory[task] = max(memory[task], cost.peak_mb - found["imports_mb"])
    median = {task: statistics.median(values) for task, values in seconds.items()}
    names = {"keras": "keras.utils.load_img + img_to_array", "ingest": "ferflow, all of ingest"}
    return table(
        (f"{count:,} files", "seconds", "ratio", "peak MB above imports"),
        [
            (names[task], f"{taken:.2f}", f"{median['keras'] / taken:.2f}", f"{memory[task]:.0f}")
            for task, taken in median.items()
        ],
    )


def read_with_keras(raw: Path) -> None:
    """Read every file, and print what it took."""
    with heavy_imports():
        import keras

    files = [str(file) for file in files_below(raw)]
    imports = resident_mb(psutil.Process())
    start = time.perf_counter()
    for file in files:
        keras.utils.img_to_array(keras.utils.load_img(file, color_mode="grayscale"))
    print(json.dumps({"seconds": time.perf_counter() - start, "imports_mb": imports}))


def ingest_all(raw: Path) -> None:
    """Ingest the folder, and print what it took."""
    from ferflow.data.formats.detect import find_reader
    from ferflow.data.ingest import ingest
    from ferflow.params import LayoutParams

    layout = LayoutParams()
    imports = resident_mb(psutil.Process())
    with tempfile.TemporaryDirectory() as folder:
        images, samples, rejects = (Path(folder) / name for name in ("images", "samples", "rejects"))
        start = time.perf_counter()
        _, reader = find_reader(raw, layout)
        items = reader.read(raw, layout)
        ingest(items, layout.label_names, IMAGE_SIZE, images=images, samples=samples, rejects=rejects)
        print(json.dumps({"seconds": time.perf_counter() - start, "imports_mb": imports}))


def validate_table(project: Path, raw: Path) -> str:
    """Time validate on all samples, and on ten variants of each."""
    start_project(project, raw)
    run_stage("ingest", project)
    rows: list[tuple[str, ...]] = []
    for times in (1, TIMES):
        if times > 1:
            write_variants(project)
        run_stage("split", project)
        cost = run_stage("validate", project)
        count = len(pd.read_parquet(project / "samples.parquet"))
        rows.append((f"{count:,} samples", f"{cost.seconds:.1f}", f"{cost.peak_mb:.0f}"))
    return table(("validate, whole process", "seconds", "peak MB"), rows)


def write_variants(project: Path) -> None:
    """Put ten samples in place of each, whose pixels differ in their lowest bits."""
    samples = pd.read_parquet(project / "samples.parquet")
    images = open_images(project / "images.npy")
    variants = []
    with ImageWriter(project / "variants.npy", images.shape[1:]) as writer:
        for number in range(TIMES):
            pixels = images ^ np.uint8(number)
            writer.append(pixels)
            variants.append(
                samples.assign(
                    sample_id=f"{number:x}" + samples["sample_id"].str[1:],
                    source=f"{number}/" + samples["source"],
                    sha256=[sha256(image).hexdigest() for image in pixels],
                )
            )
    (project / "variants.npy").replace(project / "images.npy")
    write_parquet(project / "samples.parquet", pd.concat(variants, ignore_index=True))


def memory_table(folder: Path, raw: Path) -> str:
    """Measure ingest and split on some files, on ten copies of them, and on all."""
    files = files_below(raw)
    few = files[:: max(1, len(files) // PART)][:PART]
    copy_files(folder / "few", raw, few, copies=1)
    copy_files(folder / "many", raw, few, copies=TIMES)
    peaks: dict[str, list[float]] = {"ingest": [], "split": []}
    for number, source in enumerate((folder / "few", folder / "many", raw)):
        start_project(folder / str(number), source)
        for stage, values in peaks.items():
            values.append(run_stage(stage, folder / str(number)).peak_mb)
    counts = (len(few), TIMES * len(few), len(files))
    return table(
        ("peak MB", *(f"{count:,} files" for count in counts), f"growth at {TIMES} times"),
        [
            (stage, *(f"{value:.0f}" for value in values), f"{100 * (values[1] / values[0] - 1):+.0f} %")
            for stage, values in peaks.items()
        ],
    )


def copy_files(out: Path, raw: Path, files: Iterable[Path], copies: int) -> None:
    """Put copies of each file into the folder below `out` that it has below `raw`."""
    for file in files:
        folder = out / file.parent.relative_to(raw)
        folder.mkdir(parents=True, exist_ok=True)
        for copy in range(copies):
            shutil.copyfile(file, folder / f"{file.stem}-{copy}{file.suffix}")


def start_project(project: Path, raw: Path) -> None:
    """Make a folder in which stages run: this project's params.yaml, and the raw data set."""
    project.mkdir(parents=True)
    shutil.copyfile(ROOT / "params.yaml", project / "params.yaml")
    (project / "raw").symlink_to(raw, target_is_directory=True)


def run_stage(stage: str, project: Path) -> Cost:
    """Run a stage as DVC does, and return what it took."""
    return measure([sys.executable, str(ROOT / "stages" / f"{stage}.py"), *STAGES[stage].split()], project)


def measure(command: list[str], folder: Path) -> Cost:
    """Run a command, and return what it and its children took."""
    start = time.perf_counter()
    peak = 0.0
    with tempfile.TemporaryFile("w+") as output:
        process = psutil.Popen(command, cwd=folder, stdout=output)
        while process.poll() is None:
            peak = max(peak, resident_mb(process))
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - start
        if process.returncode:
            raise FerflowError(f"`{' '.join(command)}` failed: see above.")
        output.seek(0)
        return Cost(seconds, peak, output.read())


def resident_mb(process: psutil.Process) -> float:
    """Return the memory of a process and its children in MB, 0 if one of them has just ended."""
    try:
        family = [process, *process.children(recursive=True)]
        return sum(int(one.memory_info().rss) for one in family) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def files_below(folder: Path) -> list[Path]:
    """Return all files below a folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table, numbers to the right."""
    lines = [header, ("---", *["---:"] * (len(header) - 1)), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    run(main)
