from __future__ import annotations

import zipfile
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ferflow import models
from ferflow.evaluation.model_info import ModelInfo
from ferflow.models.saving import load_model, save_model
from ferflow.models.views import averaged_over_views
from ferflow.params import EvaluateParams

Array = npt.NDArray[np.float32]

# Higher than wide: the axes cannot be taken for each other.
SHAPE = (7, 5, 1)
IMAGES = np.random.default_rng(1).integers(0, 256, (4, *SHAPE), dtype=np.uint8)
CHOICES = [(True, 0, 2), (False, 1, 5), (False, 2, 5), (True, 2, 10)]
every_choice = pytest.mark.parametrize(("flip", "shift", "count"), CHOICES)


def probe() -> keras.Model:
    """Gives the square of every pixel: a mean over views is another one than that of a mean image."""
    inputs = keras.Input(SHAPE, dtype="uint8")
    pixels = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255, dtype="float32")(inputs))
    return keras.Model(inputs, keras.ops.square(pixels), name="probe")


def moved(images: npt.NDArray[np.uint8], down: int, right: int) -> npt.NDArray[np.uint8]:
    """The images with what was at (row, column) now at (row + down, column + right)."""

    def source(length: int, by: int) -> npt.NDArray[np.int64]:
        places = np.arange(length) - by
        places = np.where(places < 0, -places - 1, places)
        return np.where(places >= length, 2 * length - 1 - places, places)

    return images[:, source(SHAPE[0], down)][:, :, source(SHAPE[1], right)]


def views(flip: bool, shift: int) -> list[npt.NDArray[np.uint8]]:
    moves = [(0, 0), (-shift, 0), (shift, 0), (0, -shift), (0, shift)] if shift else [(0, 0)]
    seen = [moved(IMAGES, down, right) for down, right in moves]
    return seen + [view[:, :, ::-1] for view in seen] if flip else seen


def predict(model: keras.Model, images: npt.NDArray[np.uint8] = IMAGES) -> Array:
    return np.asarray(model.predict_on_batch(images))


@every_choice
def test_the_answer_is_the_mean_over_all_views(flip: bool, shift: int, count: int) -> None:
    seen = views(flip, shift)
    assert len({view.tobytes() for view in seen}) == count
    expected = np.mean([(view.reshape(len(IMAGES), -1) / 255) ** 2 for view in seen], axis=0)
    averaged = averaged_over_views(probe(), horizontal_flip=flip, shift=shift)
    np.testing.assert_allclose(predict(averaged), expected, atol=1e-6)
    # Each row is of its own image, however many are asked for at once.
    np.testing.assert_allclose(predict(averaged, IMAGES[2:3]), expected[2:3], atol=1e-6)


@every_choice
def test_reports_count_the_views_that_the_model_sees(flip: bool, shift: int, count: int) -> None:
    info = ModelInfo(
        model="probe",
        architecture="probe",
        parameters=0,
        trainable_parameters=0,
        epochs=1,
        precision="float32",
        fingerprint="f" * 64,
        input_size=7,
        evaluate=EvaluateParams(horizontal_flip=flip, shift=shift),
    )
    assert info.views == count == len(views(flip, shift))


def test_one_view_is_the_model_itself() -> None:
    model = probe()
    assert averaged_over_views(model, horizontal_flip=False, shift=0) is model


def test_it_takes_and_gives_what_the_model_does() -> None:
    averaged = averaged_over_views(probe(), horizontal_flip=True, shift=1)
    assert (averaged.input.dtype, averaged.input.shape) == ("uint8", (None, *SHAPE))
    assert (averaged.output.dtype, averaged.output.shape) == ("float32", (None, SHAPE[0] * SHAPE[1]))
    assert predict(averaged).dtype == np.float32


def test_a_real_network_is_averaged_and_left_as_it_was(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    options = {"widths": [8], "blocks": [1], "stem": 4}
    model = models.build("residual", SHAPE, 7, input_size=16, options=options)
    save_model(model, tmp_path / "before.keras")
    averaged = averaged_over_views(model, horizontal_flip=True, shift=2)
    expected = np.mean([predict(model, view) for view in views(True, 2)], axis=0)
    np.testing.assert_allclose(predict(averaged), expected, atol=1e-5)
    np.testing.assert_allclose(predict(averaged).sum(axis=1), 1.0, atol=1e-5)
    assert averaged.count_params() == model.count_params()
    save_model(model, tmp_path / "after.keras")
    assert (tmp_path / "before.keras").read_bytes() == (tmp_path / "after.keras").read_bytes()


def test_the_file_is_stock_keras_and_a_function_of_the_model(tmp_path: Path) -> None:
    averaged = averaged_over_views(probe(), horizontal_flip=True, shift=2)
    for name in ("first", "second"):
        save_model(averaged, tmp_path / f"{name}.keras")
    assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()
    with zipfile.ZipFile(tmp_path / "first.keras") as archive:
        assert b"ferflow" not in archive.read("config.json")
    np.testing.assert_array_equal(predict(load_model(tmp_path / "first.keras")), predict(averaged))


def test_a_saved_model_may_be_wrapped_as_well(tmp_path: Path) -> None:
    model = probe()
    save_model(model, tmp_path / "model.keras")
    ours, loaded = (
        averaged_over_views(each, horizontal_flip=True, shift=1)
        for each in (model, load_model(tmp_path / "model.keras"))
    )
    np.testing.assert_array_equal(predict(loaded), predict(ours))
