"""Compare the training speed of stock Keras and ferflow: the same network, images and steps, in one run.

Stock are float32 layers, fed as the source projects do, by ImageDataGenerator from a folder of JPEG files,
and by arrays in memory. Ours is the accelerated clone in the chosen precision, fed by the input pipeline.
All train cnn4 on the same random 48×48 images, in short alternating rounds, so that a machine that becomes
busier or hotter slows all; the median round counts.

    python benchmarks/training_speed.py --steps 8 --rounds 5
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.stage import heavy_imports, run

if TYPE_CHECKING:
    import keras

    from ferflow.data.arrays import Images
    from ferflow.training.devices import Device
    from ferflow.training.pipeline import LabelledRows

IMAGE_SIZE: Final = 48
SEED: Final = 2013


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch-size", type=int, default=128, help="images in a step (default 128)")
    parser.add_argument("--steps", type=int, default=8, help="steps in a round (default 8)")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each (default 5)")
    parser.add_argument(
        "--precision", choices=("auto", "float32", "mixed_bfloat16"), default="auto", help="of ours"
    )
    arguments = parser.parse_args()
    if min(arguments.batch_size, arguments.steps, arguments.rounds) < 1:
        raise FerflowError("--batch-size, --steps and --rounds must be at least 1.")

    with heavy_imports():
        from ferflow import models
        from ferflow.training.devices import prepare
        from ferflow.training.pipeline import LabelledRows

        device = prepare(arguments.precision, SEED)
    generator = np.random.default_rng(SEED)
    count = arguments.batch_size * arguments.steps
    images = generator.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE, 1), dtype=np.uint8)
    split = LabelledRows(np.arange(count), generator.integers(0, len(EMOTIONS), count).astype("int32"))
    model = models.build("cnn4", images.shape[1:], len(EMOTIONS), input_size=IMAGE_SIZE, options={})

    with tempfile.TemporaryDirectory() as folder:
        rounds = {
            "folder": folder_round(model, images, split, arguments.batch_size, device, Path(folder)),
            "memory": memory_round(model, images, split, arguments.batch_size, device),
            "ferflow": ferflow_round(model, images, split, arguments.batch_size, device),
        }
        seconds = alternate(rounds, arguments.rounds)
    print(as_table({name: count / taken for name, taken in seconds.items()}, device))


def folder_round(
    model: keras.Model, images: Images, split: LabelledRows, batch_size: int, device: Device, folder: Path
) -> Callable[[], object]:
    """Return a function that trains a stock float32 clone for one epoch from JPEG files in `folder`."""
    import keras
    import tensorflow as tf
    from PIL import Image

    for number, (image, label) in enumerate(zip(images, split.labels, strict=True)):
        file = folder / EMOTIONS[label] / f"{number}.jpg"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).save(file)
    stock = keras.models.clone_model(model)
    compile_model(stock, device)
    generator = tf.keras.preprocessing.image.ImageDataGenerator()
    with contextlib.redirect_stdout(io.StringIO()):  # it says how many files there are
        batches = generator.flow_from_directory(
            folder,
            target_size=(IMAGE_SIZE, IMAGE_SIZE),
            color_mode="grayscale",
            classes=list(EMOTIONS),
            class_mode="sparse",
            batch_size=batch_size,
            seed=SEED,
        )
    return lambda: stock.fit(batches, verbose=0)


def memory_round(
    model: keras.Model, images: Images, split: LabelledRows, batch_size: int, device: Device
) -> Callable[[], object]:
    """Return a function that trains a stock float32 clone for one epoch from arrays in memory."""
    import keras

    stock = keras.models.clone_model(model)
    compile_model(stock, device)
    return lambda: stock.fit(images, split.labels, batch_size=batch_size, verbose=0)


def ferflow_round(
    model: keras.Model, images: Images, split: LabelledRows, batch_size: int, device: Device
) -> Callable[[], object]:
    """Return a function that trains the accelerated clone for one epoch from the input pipeline."""
    from ferflow.training.acceleration import accelerate
    from ferflow.training.pipeline import steps_per_epoch, training_batches

    fast = accelerate(model, device.precision)
    compile_model(fast, device)
    batches = training_batches(images, split, batch_size=batch_size, seed=SEED)
    steps = steps_per_epoch(len(split.rows), batch_size)
    return lambda: fast.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)


def compile_model(model: keras.Model, device: Device) -> None:
    """Compile as `ferflow.training.fit` does, stock too: with XLA, Keras's default, it is slower on a CPU."""
    jit_compile = "auto" if device.kind == "gpu" else False
    model.compile(
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )


def alternate(rounds: dict[str, Callable[[], object]], count: int) -> dict[str, float]:
    """Return the median seconds of each function over `count` rounds in turn, after one that is not timed."""
    for function in rounds.values():
        function()  # compiles the graph
    taken: dict[str, list[float]] = {name: [] for name in rounds}
    for _ in range(count):
        for name, function in rounds.items():
            start = time.perf_counter()
            function()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def as_table(speeds: dict[str, float], device: Device) -> str:
    """Return the speeds, in images a second, and their ratios as a Markdown table."""
    names = {
        "folder": "stock Keras, ImageDataGenerator.flow_from_directory",
        "memory": "stock Keras, arrays in memory",
        "ferflow": "ferflow",
    }
    lines = ["| cnn4, training | device | precision | images/s | ratio |", "|---|---|---|---:|---:|"]
    for key, name in names.items():
        precision = device.precision if key == "ferflow" else "float32"
        ratio = speeds[key] / speeds["folder"]
        lines.append(f"| {name} | {device.kind} | {precision} | {speeds[key]:.0f} | {ratio:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
