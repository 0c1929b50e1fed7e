"""The really running page: a process of its own, with a tiny registered model in a store of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import keras
import mlflow
import pytest
from keras import layers
from mlflow.models import Model

from ferflow.labels import EMOTIONS
from ferflow.models.ensemble import ensemble
from ferflow.models.saving import save_model
from ferflow.tracking.store import Store, connect

NAME = "ferflow-test"
SECONDS = 0.3  # between two looks for a newer champion
_TAGS = {"dataset": "sample", "val_macro_f1": "0.7435", "test_macro_f1": "0.7565"}


@dataclass
class RunningPage:
    """The page as a process.

    Attributes:
        address: Where it is served.
        process: The process.
        store: What it reads versions from.
        temporary: The folder that it takes for temporary files.
        told: The lines that it wrote.
        log: What it did: see `_WATCH`.
    """

    address: str
    process: subprocess.Popen[str]
    store: Store
    temporary: Path
    log: Path
    told: list[str] = field(default_factory=list)

    def files(self) -> list[Path]:
        """Whatever lies in its temporary folder."""
        return [path for path in self.temporary.rglob("*") if path.is_file()]

    def done(self) -> list[str]:
        """Each file that it made, program that it started, and address that it asked, since its start."""
        return self.log.read_text().splitlines()


#: Is imported by the process before all else. A file that is made and removed is noted, too.
_WATCH = """
import os, sys

log = os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
asked = {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn"}

def watch(event, arguments):
    if event in asked or (event == "open" and arguments[2] & os.O_CREAT):
        os.write(log, f"{event} {arguments[:2]!r}\\n".encode())

sys.addaudithook(watch)
"""


def tiny_network(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((48, 48, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, dtype="float32")(inputs)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 5, strides=4, activation="relu")(x))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(len(EMOTIONS), kernel_initializer="normal")(x)))


def dense_network(seed: int) -> keras.Model:
    """One without a map."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((48, 48, 1), dtype="uint8", name="image")
    x = layers.Flatten()(layers.Rescaling(1 / 255, dtype="float32")(inputs))
    return keras.Model(inputs, layers.Dense(len(EMOTIONS), activation="softmax")(x))


@pytest.fixture(scope="session")
def store_of_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three versions: an ensemble, the champion; a network without a map; and one that is to be champion."""
    folder = tmp_path_factory.mktemp("models")
    models = {
        "vote": ensemble({"a": tiny_network(1), "b": tiny_network(2)}),
        "dense": dense_network(3),
        "<b>new</b>": tiny_network(4),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        store = connect(NAME)
        store.client.create_registered_model(NAME)
        for name, model in models.items():
            register(store, name, model, tmp_path_factory.mktemp("version"))
        set_champion(store, "1")
        yield store
    mlflow.set_tracking_uri(None)


def register(store: Store, name: str, network: keras.Model, folder: Path) -> None:
    """Register a network as a version, with the files that a page reads of it."""
    (folder / "artifacts").mkdir()
    save_model(network, folder / "artifacts" / "model.keras")
    run = store.client.create_run(store.experiment_id)
    logged = store.client.create_logged_model(store.experiment_id, source_run_id=run.info.run_id)
    Model(model_id=logged.model_id).save(str(folder / "MLmodel"))
    store.client.log_model_artifacts(logged.model_id, str(folder))
    store.client.finalize_logged_model(logged.model_id, "READY")
    store.client.create_model_version(
        NAME, f"models:/{logged.model_id}", tags={"model": name, **_TAGS}, model_id=logged.model_id
    )


def set_champion(store: Store, number: str) -> None:
    store.client.set_registered_model_alias(NAME, "champion", number)


@pytest.fixture(scope="session")
def running(store_of_models: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    folder, temporary = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("temporary")
    watching = tmp_path_factory.mktemp("watching")
    (watching / "sitecustomize.py").write_text(_WATCH)
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": store_of_models.uri,
        "TMPDIR": str(temporary),
        "PYTHONPATH": f"{watching}{os.pathsep}{Path(__file__).parents[2] / 'src'}",
        "WATCH_LOG": str(watching / "log"),
    }
    command = [sys.executable, "-m", "ferflow.demo", "--model", f"models:/{NAME}@champion", "--port", "0"]
    command += ["--seconds", str(SECONDS)]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        told: list[str] = []
        for line in process.stdout:
            told.append(line)
            if found := re.search(r"http://[\w.]+:\d+", line):
                break
        else:
            raise AssertionError("".join(told))
        page = RunningPage(found[0], process, store_of_models, temporary, watching / "log", told)
        # What nobody reads would stop it once the pipe is full.
        threading.Thread(target=lambda: told.extend(process.stdout or ()), daemon=True).start()
        yield page
        process.kill()
