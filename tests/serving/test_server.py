from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from PIL import Image

from ferflow.data.arrays import Images
from ferflow.labels import EMOTIONS

from .clients import TOLERANCE, ask, ask_at_once
from .servers import SIDE, Registered, make_network, mlflows, noise, ours, register_network

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_network(tmp_path_factory.mktemp("network") / "network.keras")


@pytest.fixture(scope="module")
def model(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return register_network(tmp_path_factory.mktemp("registered"), network)


@pytest.fixture(scope="module")
def server(model: Registered) -> Iterator[str]:
    with ours(model, FERFLOW_MOST_IMAGES="300") as address:
        yield address


@pytest.fixture(scope="module")
def images() -> Images:
    return noise(40)


@pytest.fixture(scope="module")
def expected(network: Path, images: Images) -> pd.DataFrame:
    """What Keras answers."""
    import keras

    loaded = keras.saving.load_model(network, compile=False)
    return pd.DataFrame(loaded.predict_on_batch(images), columns=EMOTIONS)


def _encoded(image: Images, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image[..., 0]).save(stream, kind)
    return stream.getvalue()


def test_arrays_files_and_base64_of_one_image_have_one_answer(
    server: str, images: Images, expected: pd.DataFrame
) -> None:
    answers = ask(server, images[:3])
    assert tuple(answers.columns) == EMOTIONS
    np.testing.assert_allclose(answers, expected[:3], atol=TOLERANCE)
    file = _encoded(images[0])
    in_base64 = base64.b64encode(file).decode()
    mixed = [in_base64, f"data:image/png;base64,{in_base64}", images[0].tolist()]
    responses = [
        requests.post(f"{server}/invocations", json={"inputs": mixed}, timeout=60),
        requests.post(f"{server}/invocations", data=file, headers={"Content-Type": "image/png"}, timeout=60),
        requests.post(f"{server}/invocations", json={"instances": [images[0].tolist()]}, timeout=60),
    ]
    for response in responses:
        answers = pd.DataFrame(response.json()["predictions"])
        np.testing.assert_allclose(answers, expected.iloc[[0] * len(answers)], atol=TOLERANCE)


def test_the_registered_model_answers_like_its_network(
    model: Registered, images: Images, expected: pd.DataFrame
) -> None:
    np.testing.assert_allclose(model.answers(images), expected, atol=TOLERANCE)


def test_clients_at_once_get_their_own_answers(server: str, images: Images, expected: pd.DataFrame) -> None:
    assert ask_at_once(server, images, expected, 100, 8, (1, 1, 1, 5)) == 100


def test_what_is_not_an_image_is_refused_and_the_server_lives(server: str, images: Images) -> None:
    good = images[:1].tolist()
    huge = b" " * (17 * 2**20)
    as_json, png = {"Content-Type": "application/json"}, {"Content-Type": "image/png"}
    cases: list[tuple[int, str, Any, dict[str, Any]]] = [
        (413, "larger than 16 MiB", huge, as_json),
        (413, "larger than 16 MiB", iter([huge[: 2**20]] * 17), as_json),  # chunks, of no announced length
        (413, "send at most 300", json.dumps({"inputs": [0] * 301}), as_json),
        (413, "more values than 300 images", b'{"inputs":[' + b"[]," * 5_000_000 + b"[]]}", as_json),
        (413, "more than 25 megapixels", _encoded(np.zeros((5001, 5000, 1), np.uint8)), png),
        (415, "Content-Type", json.dumps({"inputs": good}), {"Content-Type": "text/csv"}),
        (415, "Content-Type", json.dumps({"inputs": good}).encode(), {"Content-Type": None}),
        (400, "not JSON", "{", as_json),
        (400, "too deeply", "[" * 100_000, as_json),
        (400, "cannot be used, not an image", b"GIF?", {"Content-Type": "image/gif"}),
    ]
    for status, words, body, headers in cases:
        response = requests.post(f"{server}/invocations", data=body, headers=headers, timeout=60)
        assert (response.status_code, words in response.json()["message"]) == (status, True), response.text
        assert len(response.text) < 300
        assert requests.get(f"{server}/health", timeout=60).ok
    assert requests.get(f"{server}/invocations", timeout=60).status_code == 405
    for path in ("docs", "openapi.json", "invocations/"):
        assert requests.get(f"{server}/{path}", timeout=60).status_code == 404
    assert len(ask(server, images[:1])) == 1


def test_the_limit_of_images_is_the_servers_and_not_the_models(server: str) -> None:
    assert len(ask(server, noise(300))) == 300


@pytest.mark.slow
def test_a_thousand_requests_of_eight_clients_and_then_a_huge_one(
    server: str, images: Images, expected: pd.DataFrame
) -> None:
    assert ask_at_once(server, images, expected, 1000, 8, (1,)) == 1000
    assert ask_at_once(server, images, expected, 40, 8, (1, 8, 32, 256)) == 40
    response = requests.post(
        f"{server}/invocations",
        data=b"0" * 200_000_000,
        headers={"Content-Type": "application/json"},
        timeout=120,
    )
    assert response.status_code == 413
    assert len(ask(server, images[:1])) == 1


@pytest.mark.slow
def test_mlflows_own_command_serves_the_model_as_it_is(
    model: Registered, images: Images, expected: pd.DataFrame
) -> None:
    with mlflows(model) as address:
        assert ask_at_once(address, images, expected, 1000, 8, (1,)) == 1000
        good = images[:1].tolist()
        shape = {"inputs": np.zeros((1, SIDE + 1, SIDE, 1)).tolist()}
        mistakes: list[dict[str, Any]] = [{"inputs": good * 257}, shape, {"images": good}, {"inputs": []}]
        for wrong in mistakes:
            response = requests.post(f"{address}/invocations", json=wrong, timeout=60)
            assert response.status_code == 400, wrong
        assert len(ask(address, images[:1])) == 1
