"""One network, asked in every way that there is: the answers are the same, within 0.00001.

It is a trained one of the sample, on 500 of its validation and test images: `make repro` makes both.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from PIL import Image

import ferflow
from ferflow.data.arrays import Images, open_images
from ferflow.export.onnx_float import to_bytes, to_onnx
from ferflow.labels import EMOTIONS
from ferflow.models.saving import load_model

from .clients import TOLERANCE, ask
from .servers import Registered, mlflows, ours, register_network

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")]

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data/sample"
NETWORK = ROOT / "models/sample/quick/compact_residual/model.keras"
ENOUGH = 500
#: In one request.
_AT_ONCE = 100


@pytest.fixture(scope="module")
def images() -> Images:
    if not (DATA / "splits.parquet").is_file() or not NETWORK.is_file():
        pytest.skip("the sample's data or models are missing: run `make repro`")
    splits = pd.read_parquet(DATA / "splits.parquet")
    rows = np.flatnonzero(splits["split"].isin(["val", "test"]))[:ENOUGH]
    assert len(rows) == ENOUGH
    return np.array(open_images(DATA / "images.npy")[rows])


@pytest.fixture(scope="module")
def expected(images: Images) -> pd.DataFrame:
    """What Keras answers."""
    return _answers_of_keras(images)


@pytest.fixture(scope="module")
def registered(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Registered:  # noqa: ARG001 - or skip
    return register_network(tmp_path_factory.mktemp("registered"), NETWORK)


@pytest.fixture(scope="module")
def our_server(registered: Registered) -> Iterator[str]:
    with ours(registered) as address:
        yield address


@pytest.fixture(scope="module")
def files(images: Images, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The images as PNG files, whose names are in their order."""
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{number:03}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image[..., 0]).save(path)
    return paths


@pytest.fixture(scope="module")
def jpegs(images: Images) -> list[bytes]:
    """The images as JPEG files, which have other levels."""
    contents = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image[..., 0]).save(stream, "JPEG", quality=95)
        contents.append(stream.getvalue())
    return contents


@pytest.fixture(scope="module")
def expected_of_jpegs(jpegs: list[bytes], images: Images) -> pd.DataFrame:
    """What Keras answers to their levels."""
    levels = np.stack([np.asarray(Image.open(io.BytesIO(content))) for content in jpegs])[..., None]
    assert (levels != images).any()
    return _answers_of_keras(levels)


def _answers_of_keras(images: Images) -> pd.DataFrame:
    import keras

    network = keras.saving.load_model(NETWORK, compile=False)
    batches = [network.predict_on_batch(images[start : start + 50]) for start in range(0, ENOUGH, 50)]
    return pd.DataFrame(np.concatenate(batches), columns=EMOTIONS)


def _in_parts(images: Any, answer: Callable[[Any], pd.DataFrame]) -> pd.DataFrame:
    parts = [answer(images[start : start + _AT_ONCE]) for start in range(0, len(images), _AT_ONCE)]
    return pd.concat(parts, ignore_index=True)


def _assert_same(answers: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert tuple(answers.columns) == EMOTIONS
    np.testing.assert_allclose(answers, expected, atol=TOLERANCE, rtol=0)
    # What is within rounding of a tie may go either way.
    first, second = np.sort(expected.to_numpy(), axis=1)[:, :-3:-1].T
    clear = first - second > 2 * TOLERANCE
    assert (answers.idxmax(axis=1)[clear] == expected.idxmax(axis=1)[clear]).all()


def test_the_registered_model_in_python(
    registered: Registered, images: Images, expected: pd.DataFrame
) -> None:
    _assert_same(registered.answers(images), expected)


def test_our_server_given_arrays(our_server: str, images: Images, expected: pd.DataFrame) -> None:
    _assert_same(_in_parts(images, lambda part: ask(our_server, part)), expected)


def _ask_with_files(address: str, contents: list[bytes]) -> pd.DataFrame:
    content = {"inputs": [base64.b64encode(each).decode() for each in contents]}
    response = requests.post(f"{address}/invocations", json=content, timeout=120)
    return pd.DataFrame(response.json()["predictions"])


def test_our_server_given_files(our_server: str, files: list[Path], expected: pd.DataFrame) -> None:
    contents = [file.read_bytes() for file in files]
    _assert_same(_in_parts(contents, lambda part: _ask_with_files(our_server, part)), expected)


def test_our_server_given_jpegs(our_server: str, jpegs: list[bytes], expected_of_jpegs: pd.DataFrame) -> None:
    _assert_same(_in_parts(jpegs, lambda part: _ask_with_files(our_server, part)), expected_of_jpegs)


def test_predict_given_jpegs(jpegs: list[bytes], expected_of_jpegs: pd.DataFrame, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(len(jpegs))]
    for file, content in zip(files, jpegs, strict=True):
        file.write_bytes(content)
    for given in (jpegs, files):
        answers = ferflow.predict(given, model=str(NETWORK))
        _assert_same(pd.DataFrame([answer.probabilities for answer in answers]), expected_of_jpegs)


@pytest.mark.parametrize("given", ["arrays", "files", "bytes", "data addresses"])
def test_predict_in_python(given: str, images: Images, files: list[Path], expected: pd.DataFrame) -> None:
    contents = [file.read_bytes() for file in files]
    addresses = [f"data:image/png;base64,{base64.b64encode(content).decode()}" for content in contents]
    ways = {"arrays": images, "files": files, "bytes": contents, "data addresses": addresses}
    answers = ferflow.predict(ways[given], model=str(NETWORK))  # type: ignore[arg-type]
    _assert_same(pd.DataFrame([answer.probabilities for answer in answers]), expected)


def test_the_command_line(registered: Registered, files: list[Path], expected: pd.DataFrame) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ferflow", "predict", str(files[0].parent)),
            *("--model", registered.address, "--format", "csv"),
        ],
        env=os.environ | registered.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    table = pd.read_csv(io.StringIO(done.stdout))
    assert table["image"].tolist() == [str(file) for file in files]
    assert (table["emotion"] == table[list(EMOTIONS)].idxmax(axis=1)).all()
    _assert_same(table[list(EMOTIONS)], expected)


def test_the_onnx_file(images: Images, files: list[Path], expected: pd.DataFrame, tmp_path: Path) -> None:
    metadata = {"labels": json.dumps(EMOTIONS), "image_shape": json.dumps(images.shape[1:])}
    exported = tmp_path / "model.onnx"
    exported.write_bytes(to_bytes(to_onnx(load_model(NETWORK), metadata)))
    for given in (images, files):
        answers = ferflow.predict(given, model=str(exported))
        _assert_same(pd.DataFrame([answer.probabilities for answer in answers]), expected)


def test_mlflows_server(registered: Registered, images: Images, expected: pd.DataFrame) -> None:
    with mlflows(registered) as address:
        _assert_same(_in_parts(images, lambda part: ask(address, part)), expected)
