"""Compare answering about a folder of images with calling the model image by image.

Both read the same image files and use the same model. Image by image is how the source projects do it: with
Keras's `load_img`, then `model.predict` of one image, or `model(…)`; ours is the way of `ferflow predict`:
files are read side by side and classified in batches. They take turns in short rounds; the median counts.

    python benchmarks/folder_prediction.py --images photos --model models/sample/quick/cnn4 --rounds 5
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ferflow.errors import FerflowError
from ferflow.serving.found_images import found_images
from ferflow.serving.predictor import Predictor
from ferflow.stage import heavy_imports, run

if TYPE_CHECKING:
    import keras


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", required=True, help="a folder of images, each of one face")
    parser.add_argument("--model", default="champion", help="as of `ferflow predict` (default champion)")
    parser.add_argument("--single", type=int, default=50, help="images of a round one by one (default 50)")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default 5)")
    arguments = parser.parse_args()

    paths = found_images([arguments.images]).paths
    with heavy_imports():
        predictor = Predictor(arguments.model)
    ways = {
        "load_img, model.predict, one by one": one_by_one(predictor, "predict"),
        "load_img, model(…), one by one": one_by_one(predictor, "call"),
        "ferflow, the folder": whole_folder(predictor),
    }
    few = list(itertools.islice(itertools.cycle(paths), arguments.single))
    counts = {name: few if "one by one" in name else paths for name in ways}
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for name, answer in ways.items():
        answer(counts[name])  # traced and warm
    for _ in range(arguments.rounds):
        for name, answer in ways.items():
            begin = time.perf_counter()
            answer(counts[name])
            speeds[name].append(len(counts[name]) / (time.perf_counter() - begin))
    check(ways, few)
    print(f"{len(paths):,} images, {predictor.model.title}\n")
    print(as_table({name: statistics.median(of_way) for name, of_way in speeds.items()}))


def one_by_one(predictor: Predictor, way: str) -> Callable[[list[str]], list[str]]:
    """Return what answers about one image after the other with Keras alone."""
    import keras

    model, labels = predictor.model.keras, predictor.model.labels
    height, width, channels = predictor.model.image_shape

    def probabilities(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> list[float]:
        network: keras.Model = model
        answer = network.predict(image, verbose=0) if way == "predict" else network(image, training=False)
        return list(np.asarray(answer)[0])

    def answer(paths: list[str]) -> list[str]:
        emotions = []
        for path in paths:
            mode = "grayscale" if channels == 1 else "rgb"
            picture = keras.utils.load_img(
                path, color_mode=mode, target_size=(height, width), interpolation="bilinear"
            )
            row = probabilities(keras.utils.img_to_array(picture, dtype="uint8")[None])
            emotions.append(labels[int(np.argmax(row))])
        return emotions

    return answer


def whole_folder(predictor: Predictor) -> Callable[[list[str]], list[str]]:
    """Return what answers about all images at once."""
    return lambda paths: [str(each.emotion) for each in predictor.answers(zip(paths, paths, strict=True))]


def check(ways: dict[str, Callable[[list[str]], list[str]]], paths: list[str]) -> None:
    """Require that all ways give the same answers.

    Raises:
        FerflowError: They do not.
    """
    answers = [answer(paths) for answer in ways.values()]
    apart = [path for path, *given in zip(paths, *answers, strict=True) if len(set(given)) > 1]
    if apart:
        raise FerflowError(
            f"the ways disagree, first on {apart[0]}: Keras's load_img scales otherwise than ferflow, and "
            "turns nothing upright; give images of the model's own size."
        )


def as_table(speeds: dict[str, float]) -> str:
    """Return images per second, and their ratios to the first way."""
    first = next(iter(speeds.values()))
    rows = [f"| {name} | {speed:,.0f} | {speed / first:.1f} |" for name, speed in speeds.items()]
    return "\n".join(["| | images/s | ratio |", "|---|---:|---:|", *rows])


if __name__ == "__main__":
    run(main)
