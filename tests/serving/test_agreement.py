"""One network, asked in every way that there is: the answers are the same.

It is a trained one of the sample, on 500 of its validation and test images: `make repro` makes both.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from PIL import Image

from ferflow.data.arrays import Images, open_images
from ferflow.labels import EMOTIONS

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
    import keras

    network = keras.saving.load_model(NETWORK, compile=False)
    batches = [network.predict_on_batch(images[start : start + 50]) for start in range(0, ENOUGH, 50)]
    return pd.DataFrame(np.concatenate(batches), columns=EMOTIONS)


@pytest.fixture(scope="module")
def registered(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Registered:  # noqa: ARG001 - or skip
    return register_network(tmp_path_factory.mktemp("registered"), NETWORK)


@pytest.fixture(scope="module")
def our_server(registered: Registered) -> Iterator[str]:
    with ours(registered) as address:
        yield address


def _files_in_base64(images: Images) -> list[str]:
    files = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image[..., 0]).save(stream, "PNG")
        files.append(base64.b64encode(stream.getvalue()).decode())
    return files


def _in_parts(images: Images, answer: Callable[[Images], pd.DataFrame]) -> pd.DataFrame:
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


def test_our_server_given_files(our_server: str, images: Images, expected: pd.DataFrame) -> None:
    def answer(part: Images) -> pd.DataFrame:
        content = {"inputs": _files_in_base64(part)}
        response = requests.post(f"{our_server}/invocations", json=content, timeout=120)
        return pd.DataFrame(response.json()["predictions"])

    _assert_same(_in_parts(images, answer), expected)


def test_mlflows_server(registered: Registered, images: Images, expected: pd.DataFrame) -> None:
    with mlflows(registered) as address:
        _assert_same(_in_parts(images, lambda part: ask(address, part)), expected)
