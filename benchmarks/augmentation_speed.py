"""Compare the input pipeline's augmentation with Keras's ImageDataGenerator, and with what training costs.

Both read the same 48×48 images from memory and rotate, shift, shear, zoom and flip them by the same
ranges. They take turns in short rounds, so that a machine that becomes busier or hotter slows both; the
median round counts. What augmentation costs is measured in seconds of CPU, with and without it, and
compared with those of a training step of cnn4: other programs on the machine do not enter there.

    python benchmarks/augmentation_speed.py --batches 200 --rounds 5
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.params import AugmentParams
from ferflow.stage import heavy_imports, run

if TYPE_CHECKING:
    from ferflow.data.arrays import Images
    from ferflow.training.devices import Device
    from ferflow.training.pipeline import LabelledRows

IMAGE_SIZE: Final = 48
BATCH_SIZE: Final = 128
SEED: Final = 2013
#: What "Facial Emotion Recognition (CNN)" trains with.
AUGMENT: Final = AugmentParams(rotation=40.0, shift=0.2, shear=0.2, zoom=0.2, horizontal_flip=True)
#: A training step takes some 100 times as long as a batch of images.
TRAINING_STEPS: Final = 2


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds that a round took, as median over the rounds: on the clock and of CPU."""

    wall: float
    cpu: float


def main() -> None:
    """Measure, and print two Markdown tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=200, help="batches of 128 in a round (default 200)")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each (default 5)")
    arguments = parser.parse_args()
    if min(arguments.batches, arguments.rounds) < 1:
        raise FerflowError("--batches and --rounds must be at least 1.")

    with heavy_imports():
        from ferflow.training.augment import make_augmentation
        from ferflow.training.devices import prepare
        from ferflow.training.pipeline import LabelledRows

        device = prepare("auto", SEED)
    generator = np.random.default_rng(SEED)
    count = arguments.batches * BATCH_SIZE
    images = generator.integers(0, 256, (count, IMAGE_SIZE, IMAGE_SIZE, 1), dtype=np.uint8)
    split = LabelledRows(np.arange(count), generator.integers(0, len(EMOTIONS), count).astype("int32"))

    taken = alternate(
        {
            "generator": drawing(keras_generator(images, split), arguments.batches),
            "augmented": drawing(
                ferflow_batches(images, split, make_augmentation(AUGMENT, SEED)), arguments.batches
            ),
            "plain": drawing(ferflow_batches(images, split, None), arguments.batches),
            "training": training_round(images, split, device),
        },
        arguments.rounds,
    )
    print(pipeline_table(taken, count))
    print()
    print(cost_table(taken, arguments.batches, device))


def keras_generator(images: Images, split: LabelledRows) -> Iterator[Any]:
    """Return batches of Keras's ImageDataGenerator, which takes the same ranges by other names."""
    import tensorflow as tf

    generator = tf.keras.preprocessing.image.ImageDataGenerator(
        rotation_range=AUGMENT.rotation,
        width_shift_range=AUGMENT.shift,
        height_shift_range=AUGMENT.shift,
        shear_range=AUGMENT.shear,
        zoom_range=AUGMENT.zoom,
        horizontal_flip=AUGMENT.horizontal_flip,
    )
    batches: Iterator[Any] = iter(generator.flow(images, split.labels, batch_size=BATCH_SIZE, seed=SEED))
    return batches


def ferflow_batches(
    images: Images, split: LabelledRows, augment: Callable[[Any, Any], Any] | None
) -> Iterator[Any]:
    """Return batches of the input pipeline."""
    from ferflow.training.pipeline import training_batches

    batches: Iterator[Any] = iter(
        training_batches(images, split, batch_size=BATCH_SIZE, seed=SEED, augment=augment)
    )
    return batches


def drawing(batches: Iterator[Any], count: int) -> Callable[[], object]:
    """Return a function that draws the next `count` batches and does nothing with them.

    A round has to be long: the few batches that were prefetched while others had their turn cost it nothing.
    """
    return lambda: sum(1 for _ in itertools.islice(batches, count))


def training_round(images: Images, split: LabelledRows, device: Device) -> Callable[[], object]:
    """Return a function that trains cnn4, accelerated, for some steps on one batch."""
    from ferflow import models
    from ferflow.training.acceleration import accelerate

    model = models.build("cnn4", images.shape[1:], len(EMOTIONS), input_size=IMAGE_SIZE, options={})
    fast = accelerate(model, device.precision)
    jit_compile = "auto" if device.kind == "gpu" else False
    fast.compile(optimizer="adam", loss="sparse_categorical_crossentropy", jit_compile=jit_compile)
    batch, labels = images[:BATCH_SIZE], split.labels[:BATCH_SIZE]
    return lambda: [fast.train_on_batch(batch, labels) for _ in range(TRAINING_STEPS)]


def alternate(rounds: dict[str, Callable[[], object]], count: int) -> dict[str, Taken]:
    """Return what each function takes over `count` rounds in turn, after one that is not timed."""
    for function in rounds.values():
        function()  # compiles the graph
    taken: dict[str, list[Taken]] = {name: [] for name in rounds}
    for _ in range(count):
        for name, function in rounds.items():
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            taken[name].append(Taken(time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Taken(
            statistics.median(each.wall for each in values), statistics.median(each.cpu for each in values)
        )
        for name, values in taken.items()
    }


def pipeline_table(taken: dict[str, Taken], images: int) -> str:
    """Return images a second, and the ratio, as a Markdown table."""
    theirs, ours = taken["generator"], taken["augmented"]
    return "\n".join(
        [
            "| augmentation alone | images/s | ratio | images per CPU-second | ratio |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| {name} | {images / each.wall:,.0f} | {theirs.wall / each.wall:.2f} "
                f"| {images / each.cpu:,.0f} | {theirs.cpu / each.cpu:.2f} |"
                for name, each in (("Keras's ImageDataGenerator", theirs), ("ferflow", ours))
            ),
        ]
    )


def cost_table(taken: dict[str, Taken], batches: int, device: Device) -> str:
    """Return what a batch costs, in milliseconds of CPU and as a share of a training step."""
    step = taken["training"].cpu / TRAINING_STEPS
    plain = taken["plain"].cpu / batches
    augmentation = max(taken["augmented"].cpu / batches - plain, 0.0)
    return "\n".join(
        [
            f"| cnn4, {device.kind}, {device.precision} | CPU ms for {BATCH_SIZE} images | share of a step |",
            "|---|---:|---:|",
            f"| training step | {1e3 * step:.1f} | 100 % |",
            f"| gathering | {1e3 * plain:.1f} | {plain / step:.1%} |",
            f"| augmentation | {1e3 * augmentation:.1f} | {augmentation / step:.1%} |",
        ]
    )


if __name__ == "__main__":
    run(main)
