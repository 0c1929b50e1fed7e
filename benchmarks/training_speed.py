"""Compare the training speed of stock Keras and ferflow: the same network, images and steps, in one run.

Stock is what the source projects do: float32 layers, `fit` on arrays in memory. Ours is the accelerated
clone in the chosen precision, fed by the input pipeline. Both train cnn4 on random 48×48 images, in short
alternating rounds, so that a machine that becomes busier or hotter slows both; the median round counts.

    python benchmarks/training_speed.py --steps 8 --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
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

    rounds = {
        "stock": stock_round(model, images, split, arguments.batch_size, device),
        "ferflow": ferflow_round(model, images, split, arguments.batch_size, device),
    }
    seconds = alternate(rounds, arguments.rounds)
    print(as_table({name: count / taken for name, taken in seconds.items()}, device))


def stock_round(
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
    """Return the speeds, in images a second, and their ratio as a Markdown table."""
    ratio = speeds["ferflow"] / speeds["stock"]
    return "\n".join(
        [
            "| cnn4, training | device | precision | images/s | ratio |",
            "|---|---|---|---:|---:|",
            f"| stock Keras, arrays in memory | {device.kind} | float32 | {speeds['stock']:.0f} | 1.00 |",
            f"| ferflow | {device.kind} | {device.precision} | {speeds['ferflow']:.0f} | {ratio:.2f} |",
        ]
    )


if __name__ == "__main__":
    run(main)
