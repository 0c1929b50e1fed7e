"""Compare the training speed of stock Keras and ferflow: the same network, images and steps, in one run.

Stock are float32 layers, fed as the source projects do, by ImageDataGenerator from a folder of JPEG files,
and by arrays in memory. Ours is the accelerated clone in the chosen precision with our optimizer, fed by the
input pipeline. All train cnn4 on the same random 48×48 images, in short alternating rounds, so that a machine
that becomes busier or hotter slows all; the median round counts. A round is timed from the end of its first
step to the end of its last: what Keras does before and after a whole training is not in it.

    python benchmarks/training_speed.py --steps 13 --rounds 5
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
from typing import TYPE_CHECKING, Any, Final

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
    parser.add_argument("--steps", type=int, default=13, help="steps in a round (default 13)")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each (default 5)")
    parser.add_argument(
        "--precision", choices=("auto", "float32", "mixed_bfloat16"), default="auto", help="of ours"
    )
    arguments = parser.parse_args()
    if min(arguments.batch_size, arguments.steps - 1, arguments.rounds) < 1:
        raise FerflowError("--batch-size and --rounds must be at least 1, --steps at least 2.")

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
    timed = count - arguments.batch_size
    print(as_table({name: timed / taken for name, taken in seconds.items()}, device))


def folder_round(
    model: keras.Model, images: Images, split: LabelledRows, batch_size: int, device: Device, folder: Path
) -> Callable[[], float]:
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
    return lambda: seconds_of(stock, batches)


def memory_round(
    model: keras.Model, images: Images, split: LabelledRows, batch_size: int, device: Device
) -> Callable[[], float]:
    """Return a function that trains a stock float32 clone for one epoch from arrays in memory."""
    import keras

    stock = keras.models.clone_model(model)
    compile_model(stock, device)
    return lambda: seconds_of(stock, images, split.labels, batch_size=batch_size)


def ferflow_round(
    model: keras.Model, images: Images, split: LabelledRows, batch_size: int, device: Device
) -> Callable[[], float]:
    """Return a function that trains the accelerated clone for one epoch from the input pipeline."""
    from ferflow.params.optimization import OptimizerParams
    from ferflow.training.acceleration import accelerate
    from ferflow.training.optimizers import make_optimizer
    from ferflow.training.pipeline import steps_per_epoch, training_batches

    fast = accelerate(model, device.precision)
    adam = make_optimizer(
        OptimizerParams(name="adam"), 1e-3, fast.trainable_weights, precision=device.precision
    )
    compile_model(fast, device, adam)
    batches = training_batches(images, split, batch_size=batch_size, seed=SEED)
    steps = steps_per_epoch(len(split.rows), batch_size)
    return lambda: seconds_of(fast, batches, steps_per_epoch=steps, shuffle=False)


def seconds_of(model: keras.Model, *data: Any, **options: Any) -> float:
    """Train for one epoch; return the seconds from the end of its first step to the end of its last."""
    import keras

    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: ends.append(time.perf_counter())
    )
    model.fit(*data, callbacks=[clock], verbose=0, **options)
    return ends[-1] - ends[0]


def compile_model(model: keras.Model, device: Device, optimizer: Any = "adam") -> None:
    """Compile as `ferflow.training.fit` does, stock too: with XLA, Keras's default, it is slower on a CPU."""
    jit_compile = "auto" if device.kind == "gpu" else False
    model.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )


def alternate(rounds: dict[str, Callable[[], float]], count: int) -> dict[str, float]:
    """Return the median seconds of each function over `count` rounds in turn, after one that is not timed."""
    for function in rounds.values():
        function()  # compiles the graph
    taken: dict[str, list[float]] = {name: [] for name in rounds}
    for _ in range(count):
        for name, function in rounds.items():
            taken[name].append(function())
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
