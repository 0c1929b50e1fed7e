from __future__ import annotations

import hashlib
import http.server
import socket
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ferflow.errors import FerflowError
from ferflow.models import pretrained
from ferflow.models.layers import BASE
from ferflow.models.pretrained import load_base


def small_network(*, weights: str | None, input_shape: tuple[int, int, int], **_: Any) -> keras.Model:
    """Stands in for a constructor of keras.applications, whose smallest take a second."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(2, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    assert weights is None
    return keras.Model(inputs, x, name="small")


def fetching_network(url: str, **_: Any) -> None:
    # As Keras does for NASNet: the file has another name in the cache than on the server.
    keras.utils.get_file("kept.h5", origin=f"{url}/sent.h5", cache_subdir="models")


def load(weights: str | None = None, sha256: str | None = None, constructor: Any = small_network) -> Any:
    return load_base(constructor, "Small", input_size=8, weights=weights, weights_sha256=sha256)


def load_file(file: Path) -> Any:
    return load(str(file), hashlib.sha256(file.read_bytes()).hexdigest())


def one_line(raised: pytest.ExceptionInfo[FerflowError]) -> str:
    message = str(raised.value)
    assert "\n" not in message and len(message) < 700
    return message


def write(model: keras.Model, file: Path) -> None:
    if file.name.endswith(".weights.h5"):
        model.save_weights(file)
    else:
        model.save(file)  # .h5 is the older format, in which Keras has the ImageNet weights


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_weights_come_from_a_file_with_the_right_checksum(tmp_path: Path, suffix: str) -> None:
    trained = small_network(weights=None, input_shape=(8, 8, 3))
    trained.set_weights([weight + 1.0 for weight in trained.get_weights()])
    file = tmp_path / f"trained{suffix}"
    write(trained, file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    for pinned in (sha256, sha256.upper()):
        base = load(str(file), pinned)
        assert base.name == BASE
        for ours, theirs in zip(base.get_weights(), trained.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_another_content_than_the_pinned_one_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "weights.h5"
    file.write_bytes(b"other")
    found = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(
        FerflowError, match=f"options.weights_sha256: .* has the SHA-256 {found}, not 00"
    ) as raised:
        load(str(file), "0" * 64)
    one_line(raised)


def test_a_file_without_a_checksum_is_an_error_that_says_it(tmp_path: Path) -> None:
    file = tmp_path / "weights.h5"
    file.write_bytes(b"any")
    found = hashlib.sha256(b"any").hexdigest()
    with pytest.raises(
        FerflowError, match=f"options.weights: .* needs its checksum: weights_sha256: {found}"
    ):
        load(str(file))


@pytest.mark.parametrize("weights", [None, "imagenet"])
def test_a_checksum_without_a_file_is_an_error(weights: str | None) -> None:
    with pytest.raises(FerflowError, match=r"options\.weights_sha256 is for a weights file; with weights "):
        load(weights, "0" * 64)


def test_weights_that_do_not_exist_are_an_error(tmp_path: Path) -> None:
    missing = tmp_path / "weights.h5"
    with pytest.raises(
        FerflowError, match=f"options.weights: '{missing}' is neither a file, nor imagenet, nor null"
    ):
        load(str(missing))


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5", ".txt"])
def test_weights_that_are_no_weights_are_one_line(tmp_path: Path, suffix: str) -> None:
    garbage = tmp_path / f"garbage{suffix}"
    garbage.write_bytes(b"not weights")
    with pytest.raises(
        FerflowError, match=f"options.weights: .*garbage{suffix} does not hold weights of Small"
    ) as raised:
        load_file(garbage)
    one_line(raised)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_weights_of_another_network_are_one_line(tmp_path: Path, suffix: str) -> None:
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="conv"), keras.layers.Dense(2)])
    file = tmp_path / f"other{suffix}"
    write(other, file)
    with pytest.raises(FerflowError, match=r"other.* does not hold weights of Small without") as raised:
        load_file(file)
    one_line(raised)


def test_an_input_that_is_too_small_for_the_network_is_an_error() -> None:
    with pytest.raises(
        FerflowError, match=r"^input_size: InceptionV3 at 74 pixels, weights null: .*75"
    ) as raised:
        load_base(
            keras.applications.InceptionV3, "InceptionV3", input_size=74, weights=None, weights_sha256=None
        )
    one_line(raised)


def test_other_failures_of_a_network_are_not_disguised() -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        load(constructor=broken)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and says nothing, like a firewall that drops packets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    # Nothing may be in the cache of whoever runs this.
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    return tmp_path / "models"


def test_a_network_that_does_not_answer_is_given_up_soon(
    silent_server: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "ANSWER_WITHIN", 0.2)
    start = time.perf_counter()
    with pytest.raises(FerflowError, match=r"no answer within 0\.2 seconds") as raised:
        load("imagenet", constructor=lambda **_: fetching_network(silent_server))
    assert time.perf_counter() - start < 5
    message = one_line(raised)
    assert f"kept.h5 is not in {cache}: put the file there" in message
    assert "the path of one as `weights`" in message and "`weights: null`" in message


def test_imagenet_weights_without_a_connection_are_one_line_with_a_remedy(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any) -> None:
        raise urllib.error.URLError("no route to host")

    # The very place where Keras turns this into a bare Exception.
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", offline)
    with pytest.raises(
        FerflowError, match=r"^options\.weights: MobileNet's ImageNet weights cannot be fetched"
    ) as raised:
        load_base(
            keras.applications.MobileNet, "MobileNet", input_size=128, weights="imagenet", weights_sha256=None
        )
    assert f"mobilenet_1_0_128_tf_no_top.h5 is not in {cache}" in one_line(raised)


def test_a_refused_connection_is_the_same_line(cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(FerflowError, match="Connection refused") as raised:
        load("imagenet", constructor=lambda **_: fetching_network(f"http://127.0.0.1:{port}"))
    assert f"kept.h5 is not in {cache}" in one_line(raised)


def test_cached_weights_need_no_network(cache: Path) -> None:
    cache.mkdir()
    (cache / "kept.h5").write_bytes(b"fetched before")

    def cached_network(*, weights: str | None, **options: Any) -> keras.Model:
        assert weights == "imagenet"
        fetching_network("http://name.invalid")
        return small_network(weights=None, **options)

    assert load("imagenet", constructor=cached_network).name == BASE


class _WithoutHead(http.server.BaseHTTPRequestHandler):
    """Knows GET alone: its answer to HEAD is an error, and yet an answer."""

    def do_GET(self) -> None:
        if self.path != "/sent.h5":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"content")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _WithoutHead) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_server_that_answers_is_downloaded_from(cache: Path, server: str) -> None:
    def fetched_network(*, weights: str | None, **options: Any) -> keras.Model:
        assert weights == "imagenet"
        fetching_network(server)
        return small_network(weights=None, **options)

    load("imagenet", constructor=fetched_network)
    assert (cache / "kept.h5").read_bytes() == b"content"


def test_a_file_that_the_server_does_not_have_is_the_same_line(cache: Path, server: str) -> None:
    with pytest.raises(FerflowError, match=r"cannot be fetched.*404") as raised:
        load("imagenet", constructor=lambda **_: fetching_network(f"{server}/elsewhere"))
    assert f"kept.h5 is not in {cache}" in one_line(raised)
    assert not (cache / "kept.h5").exists()
    fetching = raised.value.__context__
    assert fetching is not None and isinstance(fetching.__context__, urllib.error.HTTPError)
    fetching.__context__.close()  # Keras leaves it open
