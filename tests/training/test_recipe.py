"""What a recipe, or the device, asks for has to reach the training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from ferflow.models.layers import classifier, image_input
from ferflow.params import Recipe
from ferflow.training.devices import Device, Precision
from ferflow.training.fit import train
from ferflow.training.losses import ClassificationLoss, balanced_class_weights
from ferflow.training.pipeline import LabelledRows, TrainingData

IMAGES = np.random.default_rng(0).integers(0, 256, (32, 16, 16, 1), dtype=np.uint8)
# Two classes, of which the one is common in training and the other in validation.
DATA = TrainingData(
    IMAGES,
    LabelledRows(np.arange(16), np.repeat([0, 1], [12, 4]).astype("int32")),
    LabelledRows(np.arange(16, 32), np.repeat([0, 1], [2, 14]).astype("int32")),
)


def a_model() -> keras.Model:
    keras.utils.set_random_seed(5)
    inputs, x = image_input((16, 16, 1), input_size=16)
    x = keras.layers.Dense(8, name="hidden")(keras.layers.Flatten()(x))
    return keras.Model(inputs, classifier(x, 7), name="small")


def trained(precision: Precision = "float32", **changes: Any) -> tuple[float, keras.Model]:
    """Return the validation loss of a training of one epoch, and the trained model."""
    phases = {"all": {"trainable": "all", "epochs": 1, "learning_rate": 0.01}}
    values: dict[str, Any] = {"input_size": 16, "batch_size": 16, "optimizer": "sgd", "phases": phases}
    model = a_model()
    recipe = Recipe.model_validate(values | changes)
    history = train(model, recipe, DATA, device=Device("cpu", 1, precision), seed=1)
    return history[-1]["val_loss"], model


def test_classes_weigh_by_their_rarity_in_training() -> None:
    loss, model = trained(class_weights="balanced")
    weights = balanced_class_weights(DATA.train.labels, 7)
    probabilities = model.predict_on_batch(IMAGES[DATA.val.rows])
    expected = ClassificationLoss(class_weights=weights)(DATA.val.labels, probabilities)
    assert loss == pytest.approx(float(expected), rel=1e-4)
    assert loss != pytest.approx(float(ClassificationLoss()(DATA.val.labels, probabilities)), rel=0.1)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", "float32"), ("mixed_bfloat16", "bfloat16")])
def test_muon_orthogonalises_in_the_precision_of_the_training(
    precision: Precision, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    orthogonalise = keras.optimizers.Muon.zeropower_via_newtonschulz5

    def watched(self: Any, matrix: Any, steps: int) -> Any:
        seen.append(keras.backend.standardize_dtype(matrix.dtype))
        return orthogonalise(self, matrix, steps)

    monkeypatch.setattr(keras.optimizers.Muon, "zeropower_via_newtonschulz5", watched)
    trained(precision, optimizer="muon")
    assert set(seen) == {dtype}
