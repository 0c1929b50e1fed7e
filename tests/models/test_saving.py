from __future__ import annotations

import datetime
import json
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from ferflow.errors import FerflowError
from ferflow.models import saving
from ferflow.models.saving import load_model, save_model

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 1), dtype=np.uint8)


def small_model(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    # One object in two places: Keras marks it with its address in memory.
    initializer = keras.initializers.HeNormal(seed=seed)
    inputs = keras.Input((6, 6, 1), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescale")(inputs)
    x = keras.layers.Conv2D(3, 3, kernel_initializer=initializer, name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(7, kernel_initializer=initializer, activation="softmax", name="dense")(x)
    return keras.Model(inputs, x, name="small")


def let_a_day_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    later = datetime.datetime.now() + datetime.timedelta(days=1)
    clock = SimpleNamespace(datetime=SimpleNamespace(now=lambda: later))
    monkeypatch.setattr("keras.src.saving.saving_lib.datetime", clock)
    monkeypatch.setattr(time, "time", lambda: later.timestamp())  # of the archive's entries


def test_equal_models_give_equal_bytes_whenever_they_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today, tomorrow, rebuilt = (tmp_path / f"{name}.keras" for name in ("today", "tomorrow", "rebuilt"))
    raw_today, raw_tomorrow = tmp_path / "raw_today.keras", tmp_path / "raw_tomorrow.keras"
    model = small_model()
    save_model(model, today)
    model.save(raw_today)
    let_a_day_pass(monkeypatch)
    save_model(model, tomorrow)
    model.save(raw_tomorrow)
    save_model(small_model(), rebuilt)

    assert raw_today.read_bytes() != raw_tomorrow.read_bytes(), "no day has passed"
    assert today.read_bytes() == tomorrow.read_bytes() == rebuilt.read_bytes()


def test_the_file_holds_no_time_and_no_address(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    save_model(small_model(), path)
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json")).keys() == {"keras_version"}
        config = json.loads(archive.read("config.json"))
    ids = shared_object_ids(config)
    # Not vacuous: the initializer that two layers share has such an id.
    assert ids and set(ids) == set(range(1, len(set(ids)) + 1))
    assert len(ids) > len(set(ids))


def shared_object_ids(value: Any) -> list[int]:
    if isinstance(value, dict):
        own = [value["shared_object_id"]] if "shared_object_id" in value else []
        return own + [number for item in value.values() for number in shared_object_ids(item)]
    if isinstance(value, list):
        return [number for item in value for number in shared_object_ids(item)]
    return []


def test_other_weights_give_other_bytes(tmp_path: Path) -> None:
    model = small_model()
    save_model(model, tmp_path / "before.keras")
    kernel, bias = model.get_layer("dense").get_weights()
    kernel[0, 0] = np.nextafter(kernel[0, 0], np.float32(np.inf))
    model.get_layer("dense").set_weights([kernel, bias])
    save_model(model, tmp_path / "after.keras")
    assert (tmp_path / "before.keras").read_bytes() != (tmp_path / "after.keras").read_bytes()


def test_stock_keras_opens_the_file(tmp_path: Path) -> None:
    model = small_model()
    save_model(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))
    assert type(loaded.get_layer("norm")) is keras.layers.BatchNormalization


def test_saving_leaves_one_file(tmp_path: Path) -> None:
    save_model(small_model(), tmp_path / "new" / "model.keras")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.keras"]


def test_a_failed_save_keeps_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"as it was")

    def full_disk(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(saving, "_normalise", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_model(small_model(), path)
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_names_itself_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with pytest.raises(FerflowError, match=f"{path} is missing: run `dvc repro`"):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 half an archive"])
def test_a_file_that_is_no_model_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(FerflowError, match=f"{path} is not a readable Keras model"):
        load_model(path)


def test_a_truncated_model_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    save_model(small_model(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FerflowError, match="is not a readable Keras model"):
        load_model(path)


def test_compiled_model_is_refused(tmp_path: Path) -> None:
    model = small_model()
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="optimizer"):
        save_model(model, tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []
