"""Servers of a model for tests: started on a free port, ended with the block."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests

from ferflow.data.arrays import Images
from ferflow.labels import EMOTIONS
from ferflow.tracking.store import connect
from tracking.registering import NAME, candidate, put_forward, validation

SIDE = 48
_SECONDS_TO_START = 180


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered model: its address, and the environment in which that leads to it."""

    address: str
    environment: dict[str, str]

    def answers(self, images: Images) -> pd.DataFrame:
        """Return what it answers in Python."""
        mlflow.set_tracking_uri(self.environment["MLFLOW_TRACKING_URI"])
        try:
            return pd.DataFrame(mlflow.pyfunc.load_model(self.address).predict(images))
        finally:
            mlflow.set_tracking_uri(None)


def register_network(folder: Path, network: Path) -> Registered:
    """Register a Keras file in a store of its own, as the pipeline does."""
    store_uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store_uri)
        what = candidate(folder, "served", 70, validation(SIDE))
        put_forward(connect("ferflow-test"), replace(what, file=network))
    return Registered(f"models:/{NAME}@champion", {"MLFLOW_TRACKING_URI": store_uri})


def make_network(file: Path) -> Path:
    """Save a small network whose answers differ from image to image."""
    import keras

    keras.utils.set_random_seed(3)
    inputs = keras.Input((SIDE, SIDE, 1), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    strides = keras.layers.Conv2D(4, 5, strides=4, activation="relu")(scaled)
    logits = keras.layers.Dense(len(EMOTIONS))(keras.layers.Flatten()(strides))
    keras.Model(inputs, keras.layers.Softmax()(keras.layers.Rescaling(4)(logits))).save(file)
    return file


def noise(number: int, seed: int = 0) -> Images:
    """Return so many images, no two alike."""
    return np.random.default_rng(seed).integers(0, 256, (number, SIDE, SIDE, 1), dtype=np.uint8)


@contextlib.contextmanager
def serving(command: Sequence[str], port: int, environment: dict[str, str]) -> Iterator[str]:
    """Start a server, wait until it is healthy, give its address, and end it."""
    address = f"http://127.0.0.1:{port}"
    # Not a pipe: a server that logs each request stands still when nobody empties it.
    with tempfile.TemporaryFile("w+") as log:
        # A session of its own: MLflow's command has children.
        process = subprocess.Popen(
            command,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"} | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        try:
            _wait_until_healthy(process, address, log)
            yield address
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _end_with_parent() -> None:
    """Have the kernel end this process when the tests are killed: nothing else would."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _wait_until_healthy(process: subprocess.Popen[bytes], address: str, log: IO[str]) -> None:
    end = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end:
        if process.poll() is not None:
            log.seek(0)
            pytest.fail(f"the server ended: {log.read()}")
        # Ours lets who connects wait, until the model is open.
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{address}/health", timeout=10).ok:
                return
        time.sleep(0.1)
    pytest.fail("the server did not start")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ours(model: Registered, **limits: str) -> contextlib.AbstractContextManager[str]:
    """Serve a model by `python -m ferflow.serve`, with other limits in its environment."""
    port = free_port()
    command = [sys.executable, "-m", "ferflow.serve", "--model", model.address, "--port", str(port)]
    return serving(command, port, model.environment | limits)


def mlflows(model: Registered) -> contextlib.AbstractContextManager[str]:
    """Serve a model by `mlflow models serve`."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "-m", model.address),
        "--env-manager",
        "local",
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command += ["--host", "127.0.0.1", "--port", str(port)]
    return serving(command, port, model.environment | {"PATH": path})
