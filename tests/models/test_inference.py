from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ferflow.data.arrays import open_images
from ferflow.models.inference import predict_probabilities, trainable_parameters

# Row i is filled with i: an image tells which row it is.
IMAGES = np.broadcast_to(np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1), (10, 4, 4, 1)).copy()


class Recorder:
    """Stands in for a model: gives each image's gray level, and notes the batches it was asked for."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict_on_batch(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        assert type(images) is np.ndarray and images.dtype == np.uint8
        self.batches.append(len(images))
        return images[:, 0, 0].astype(np.float64)


@pytest.mark.parametrize(
    ("rows", "batches"),
    [
        ([7, 0, 3, 9, 1, 8, 2], [3, 3, 1]),
        ([5, 5, 2, 5], [3, 1]),
        ([4], [1]),
        ([0, 1, 2, 3, 4, 5], [3, 3]),
    ],
)
def test_probabilities_follow_the_rows(rows: list[int], batches: list[int]) -> None:
    model = Recorder()
    result = predict_probabilities(model, IMAGES, rows, batch_size=3)
    assert result[:, 0].tolist() == rows
    assert result.dtype == np.float32
    assert model.batches == batches


def test_rows_of_a_memory_map_reach_a_real_model(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    inputs = keras.Input((4, 4, 1), dtype="uint8")
    gray = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(inputs))
    outputs = keras.layers.Softmax()(keras.layers.Concatenate()([gray, -gray]))
    model = keras.Model(inputs, outputs)

    rows = np.array([3, 0, 3, 1, 2])
    result = predict_probabilities(model, open_images(tmp_path / "images.npy"), rows, batch_size=2)
    np.testing.assert_allclose(result[:, 0], 1 / (1 + np.exp(-2.0 * rows)), rtol=1e-5)
    np.testing.assert_allclose(result.sum(axis=1), 1.0, rtol=1e-6)


def test_moving_statistics_are_no_trainable_parameters() -> None:
    model = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    )
    assert trainable_parameters(model) == (5 * 3 + 3) + 2 * 3 + (3 * 2 + 2)
    assert model.count_params() == trainable_parameters(model) + 2 * 3
