from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from export.tiny import SHAPE, drawn, model_called, network
from ferflow import predict
from ferflow.export import onnx_float
from ferflow.export.onnx_float import to_bytes, to_onnx
from ferflow.export.onnx_int8 import float_nodes, to_int8
from ferflow.export.runtimes import in_batches, onnx_classifier
from ferflow.labels import EMOTIONS

METADATA = {"labels": json.dumps(EMOTIONS), "image_shape": json.dumps(SHAPE), "dataset": "drawn"}
EXAMPLE = Path(onnx_float.__file__).with_name("example.py")


@pytest.fixture(scope="module")
def whole() -> onnx.ModelProto:
    return to_onnx(model_called("whole"), METADATA)


@pytest.mark.parametrize("kind", ["cnn2_small", "whole"])
def test_an_onnx_file_answers_like_keras_for_batches_of_any_size(kind: str, whole: onnx.ModelProto) -> None:
    model = model_called(kind)
    images = drawn(7, 1)
    wanted = np.asarray(model.predict_on_batch(images))
    assert np.ptp(wanted, axis=0).max() > 0.01, "answers that are all alike test nothing"

    converted = whole if kind == "whole" else to_onnx(model, METADATA)
    classify = onnx_classifier(to_bytes(converted))
    for batch in (7, 1):
        np.testing.assert_allclose(in_batches(classify, images, batch), wanted, atol=1e-5)


def test_the_same_model_built_again_gives_the_same_file(whole: onnx.ModelProto) -> None:
    assert to_bytes(to_onnx(model_called("whole"), METADATA)) == to_bytes(whole)


def test_the_file_says_what_it_is() -> None:
    session = onnxruntime.InferenceSession(to_bytes(to_onnx(network(), METADATA)))
    assert session.get_modelmeta().custom_metadata_map == METADATA
    assert session.get_modelmeta().producer_name == "ferflow"
    (image,), (answer,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["N", *SHAPE])
    assert (answer.name, answer.type, answer.shape[0]) == ("probabilities", "tensor(float)", "N")


def test_int8_takes_the_way_whose_answers_are_nearest_and_gives_the_same_file_twice() -> None:
    model = network()
    plain = to_onnx(model, METADATA)
    images = drawn(30, 2)
    wanted = np.asarray(model.predict_on_batch(images))
    distances: list[float] = []

    def distance(content: bytes) -> float:
        distances.append(float(np.abs(onnx_classifier(content)(images) - wanted).mean()))
        return distances[-1]

    content, method = to_int8(plain, drawn(40, 1), METADATA, distance)
    assert to_int8(plain, drawn(40, 1), METADATA, distance) == (content, method)
    assert distances[:3] == distances[3:]
    assert distance(content) == min(distances) < 0.02
    told = onnxruntime.InferenceSession(content).get_modelmeta().custom_metadata_map
    assert told == METADATA | {"calibration": f"{method}, 40 training images"}
    kinds = {node.op_type for node in onnx.load_from_string(content).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds


def test_logits_and_what_becomes_of_them_stay_float(whole: onnx.ModelProto) -> None:
    graph = whole.graph
    kept = [node for node in graph.node if node.name in float_nodes(graph)]
    assert [node.op_type for node in kept].count("Softmax") == 2
    assert [node.op_type for node in kept].count("MatMul") + [node.op_type for node in kept].count(
        "Gemm"
    ) == 2
    assert "probabilities" in {value for node in kept for value in node.output}
    assert "Conv" not in {node.op_type for node in kept}


def test_the_example_runs_a_file_with_onnxruntime_numpy_and_pillow_alone(tmp_path: Path) -> None:
    model = network()
    (tmp_path / "model.onnx").write_bytes(to_bytes(to_onnx(model, METADATA)))
    source = EXAMPLE.read_text(encoding="utf-8")
    (tmp_path / "example.py").write_text(source, encoding="utf-8")
    assert len([line for line in source.splitlines() if line]) <= 26
    image = drawn(1, 9)
    Image.fromarray(image[0, ..., 0]).save(tmp_path / "face.png")

    command = [sys.executable, "-X", "importtime", "example.py", "face.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert not imported & {"keras", "tensorflow", "onnx", "ferflow", "pandas"}
    shown = [(line.split()[0], float(line.split()[1])) for line in done.stdout.splitlines()]
    expected = np.asarray(model.predict_on_batch(image))[0]
    assert dict(shown) == pytest.approx(dict(zip(EMOTIONS, expected, strict=True)), abs=1e-3)
    assert shown[0][0] == EMOTIONS[expected.argmax()]


def _as_png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture.save(stream, "PNG", exif=exif)
    return stream.getvalue()


@pytest.fixture(scope="module")
def folder_with_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    (folder / "model.onnx").write_bytes(to_bytes(to_onnx(network(), METADATA)))
    (folder / "example.py").write_bytes(EXAMPLE.read_bytes())
    return folder


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "LA", "P", "16 bits"])
def test_the_example_prepares_images_as_ferflow_does(kind: str, folder_with_example: Path) -> None:
    generator = np.random.default_rng(4)
    # Far larger than the model's, so that `reducing_gap` matters.
    levels = generator.integers(0, 256, (150, 130, 4)).astype(np.uint8)
    levels[40:] //= 2
    if kind == "16 bits":
        picture = Image.fromarray(levels[..., 0].astype(np.uint16) * 257)
    elif kind == "P":
        picture = Image.fromarray(levels[..., :3]).quantize(16)
        picture.info["transparency"] = 3
    else:
        picture = Image.fromarray(levels).convert(kind)
    face = folder_with_example / "face.png"
    face.write_bytes(_as_png(picture))

    command = [sys.executable, "example.py", face.name]
    done = subprocess.run(command, cwd=folder_with_example, capture_output=True, text=True, check=True)
    shown = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
    (answer,) = predict(face, model=str(folder_with_example / "model.onnx"))
    assert shown == pytest.approx(answer.faces[0].probabilities, abs=0.00051)
