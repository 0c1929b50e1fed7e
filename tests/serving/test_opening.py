from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import ferflow
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.models.saving import save_model
from ferflow.serving import opening
from ferflow.serving.classifiers import OpenedModel
from ferflow.serving.opening import open_model
from ferflow.tracking import stored_models

from .pictures import flat, noise


def network(
    classes: int = 7,
    shape: tuple[int, ...] = (8, 8, 1),
    dtype: str = "uint8",
    activation: str | None = "softmax",
) -> keras.Model:
    inputs = keras.Input(shape, dtype=dtype)
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation=activation, bias_initializer="ones")(x))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny" / "model.keras"
    save_model(network(), path)
    return path


def exported(path: Path, metadata: dict[str, str]) -> Path:
    """An ONNX file whose probabilities follow the mean levels of seven bands of an 7 × 7 image."""
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels", "axes"], ["means"], keepdims=0),
        helper.make_node("Softmax", ["means"], ["probabilities"]),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 7, 7, 1])
    result = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 7])
    graph = helper.make_graph(nodes, "bands", [image], [result], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def test_a_keras_file_and_its_folder_open_alike(file: Path) -> None:
    by_file, by_folder = open_model(str(file)), open_model(str(file.parent))
    assert (by_file.title, by_file.labels, by_file.image_shape) == ("tiny", EMOTIONS, (8, 8, 1))
    assert by_folder.title == "tiny"
    faces = np.stack([flat(level, 8) for level in (0, 100, 255)])
    expected = keras.saving.load_model(file)(faces).numpy()
    for each in (by_file, by_folder):
        np.testing.assert_allclose(each.classify(faces), expected, atol=1e-6)
        assert each.classify(faces).dtype == np.float32
        assert each.keras is not None


def test_an_onnx_file_opens_with_what_it_says_of_itself(tmp_path: Path) -> None:
    metadata = {
        "labels": json.dumps(EMOTIONS),
        "image_shape": "[7, 7, 1]",
        "title": "exported",
        "dataset": "x",
    }
    opened = open_model(str(exported(tmp_path / "bands.onnx", metadata)))
    assert (opened.title, opened.labels, opened.image_shape) == ("exported", EMOTIONS, (7, 7, 1))
    assert (opened.keras, opened.details["dataset"]) == (None, "x")
    bands = np.repeat(np.arange(7, dtype=np.uint8), 7).reshape(1, 7, 7, 1)
    assert opened.classify(bands)[0].argmax() == 6


def test_an_onnx_file_without_labels_is_told(tmp_path: Path) -> None:
    with pytest.raises(FerflowError, match="does not say what its classes are"):
        open_model(str(exported(tmp_path / "bands.onnx", {})))


def test_an_onnx_file_with_other_labels_than_classes_is_told(tmp_path: Path) -> None:
    metadata = {"labels": json.dumps(EMOTIONS[:3]), "image_shape": "[7, 7, 1]"}
    with pytest.raises(FerflowError, match=r"gives \(7,\) numbers for 3 labels"):
        open_model(str(exported(tmp_path / "bands.onnx", metadata)))


@pytest.mark.parametrize("name", ["model.keras", "model.onnx"])
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no model")
    with pytest.raises(FerflowError, match="is not a readable") as caught:
        open_model(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (network(classes=3), r"gives \(3,\) numbers for 7 labels"),
        (network(shape=(8, 6, 1)), "does not take square images of bytes"),
        (network(shape=(8, 8)), "does not take images"),
        (network(dtype="float32"), "does not take square images of bytes"),
        (network(activation=None), "are no probabilities"),
        (keras.Sequential([keras.layers.Dense(7)]), "does not take images"),
    ],
)
@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_model_of_something_else_is_told(tmp_path: Path, model: keras.Model, problem: str) -> None:
    save_model(model, tmp_path / "model.keras")
    with pytest.raises(FerflowError, match=problem):
        open_model(str(tmp_path / "model.keras"))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("champion", ("by_alias", "ferflow", "champion")),
        ("challenger", ("by_alias", "ferflow", "challenger")),
        ("12", ("by_number", "ferflow", "12")),
        ("0123456789abcdef" * 2, ("of_run", "0123456789abcdef" * 2)),
        ("models:/other@champion", ("at_address", "models:/other@champion")),
        ("s3://bucket/model", ("at_address", "s3://bucket/model")),
    ],
)
def test_what_is_no_path_is_looked_for_in_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: tuple[str, ...]
) -> None:
    asked: list[tuple[str, ...]] = []
    for function in ("by_alias", "by_number", "of_run", "at_address"):
        monkeypatch.setattr(
            stored_models, function, lambda *words, function=function: asked.append((function, *words))
        )
    # What was found does not matter here.
    monkeypatch.setattr(opening, "open_keras", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(AttributeError):
        open_model(name)
    assert asked == [found]


def test_the_registered_model_is_that_of_the_chosen_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[2] / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("dataset: sample", "dataset: fer2013", 1))
    monkeypatch.chdir(tmp_path)
    assert opening.registered_model() == "ferflow-fer2013"


def test_a_path_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("models/cnn4/model.keras", "model.onnx"):
        with pytest.raises(FerflowError, match=f"{name} is missing"):
            open_model(name)


def test_predict_is_one_import_away_and_opens_a_model_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    def counting(name: str) -> OpenedModel:
        opened.append(name)
        return open_model(name)

    monkeypatch.setattr("ferflow.serving.predictor.open_model", counting)
    for name in (str(file), file):
        [answer] = ferflow.predict(noise(), model=name)
        assert answer.emotion in EMOTIONS
        assert sum(answer.faces[0].probabilities.values()) == pytest.approx(1)
    assert opened == [str(file)]
