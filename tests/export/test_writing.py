from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tf2onnx

from export.tiny import SHAPE, data_folder, drawn, export_images, model_called, network
from ferflow.errors import FerflowError
from ferflow.export import __main__ as command
from ferflow.export import litert, onnx_int8, writing
from ferflow.export.comparison import agreement
from ferflow.export.folder import OWN_FILES, REPORT, check_folder
from ferflow.export.images import images_in
from ferflow.export.onnx_float import to_onnx
from ferflow.export.report import ExportedFile, Report
from ferflow.export.runtimes import Probabilities, in_batches, litert_classifier
from ferflow.export.writing import export_model
from ferflow.labels import EMOTIONS
from ferflow.models.saving import save_model

METADATA = {"labels": json.dumps(EMOTIONS), "dataset": "drawn"}


def test_a_litert_file_answers_like_keras_for_batches_of_any_size() -> None:
    model = model_called("whole")
    images = drawn(5, 1)
    classify = litert_classifier(litert.to_litert(model, METADATA))
    for batch in (5, 2):
        wanted = np.asarray(model.predict_on_batch(images))
        np.testing.assert_allclose(in_batches(classify, images, batch), wanted, atol=1e-5)


def test_a_litert_file_holds_its_labels_and_is_the_same_twice() -> None:
    model = network()
    content = litert.to_litert(model, METADATA)
    assert litert.to_litert(model, METADATA) == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("labels.txt").decode().split() == list(EMOTIONS)
        assert json.loads(archive.read("metadata.json")) == METADATA


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    model = network()
    out = tmp_path_factory.mktemp("exports") / "model"
    return out, export_model(
        model, "a | model", EMOTIONS, export_images(model), out, metadata={"version": "3"}
    )


def test_an_export_holds_every_file_and_what_it_is_worth(exported: tuple[Path, Report]) -> None:
    out, report = exported
    models = ["model.int8.onnx", "model.int8.tflite", "model.onnx", "model.tflite"]
    others = ["example.py", "labels.json", "report.json", "report.md"]
    assert sorted(each.name for each in out.iterdir()) == sorted(models + others) == sorted(OWN_FILES)
    assert json.loads((out / "labels.json").read_text(encoding="utf-8")) == list(EMOTIONS)

    told = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(report.as_dict()))
    assert sorted(each["file"] for each in told["files"]) == models
    assert told["metadata"]["version"] == "3"
    assert told["test_samples"] == 60
    assert told["keras"]["accuracy"] == pytest.approx(0.9)
    for each in told["files"]:
        content = (out / each["file"]).read_bytes()
        assert (each["bytes"], each["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert (
            each["accuracy_difference_low"] <= each["accuracy_difference"] <= each["accuracy_difference_high"]
        )
        assert each["milliseconds_per_image"] > 0
        if each["precision"] == "float32":
            assert each["accuracy_difference"] == 0
            assert (each["equal_answers"], each["calibration"]) == (1, None)
            assert each["largest_difference"] < 1e-4
        else:
            assert each["calibration"].endswith("40 training images")
            assert each["equal_answers"] > 0.8
    assert "a \\| model" in (out / "report.md").read_text(encoding="utf-8")


def test_an_earlier_export_is_replaced_and_other_files_are_not(tmp_path: Path) -> None:
    model = network()
    images = export_images(model)
    out = tmp_path / "out"
    out.mkdir()
    (out / REPORT).write_text('{"files": []}', encoding="utf-8")
    (out / "model.tflite").write_text("old", encoding="utf-8")
    export_model(model, "tiny", EMOTIONS, images, out, formats=[])
    assert sorted(each.name for each in out.iterdir()) == [*("labels.json", "report.json", "report.md")]

    (out / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FerflowError, match=r"holds mine\.txt, no file of an export"):
        export_model(model, "tiny", EMOTIONS, images, out, formats=[])
    assert len(list(out.iterdir())) == 4
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_files_that_come_while_models_are_converted_are_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network()
    images, out = export_images(model), tmp_path / "out"
    plain = to_onnx(model, METADATA)

    def convert_slowly(*_: object) -> onnx.ModelProto:
        out.mkdir()
        (out / "mine.txt").write_text("mine", encoding="utf-8")
        return plain

    monkeypatch.setattr(writing, "to_onnx", convert_slowly)
    with pytest.raises(FerflowError, match=r"holds mine\.txt"):
        export_model(model, "tiny", EMOTIONS, images, out, formats=["onnx"])
    assert [each.name for each in out.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("report.json", "{}"), ("report.json", "no JSON"), ("labels.json", "[]"), ("model.onnx/mine", "mine")],
)
def test_a_folder_that_only_looks_like_an_export_is_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(FerflowError, match="give another folder with --out"):
        check_folder(tmp_path)


def test_where_no_folder_can_be_written_is_said_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    reasons = {
        ".": "cannot be replaced as a whole",
        str(tmp_path / "empty"): "cannot be replaced as a whole",
        "../file": "is no folder",
        "../file/out": "cannot be written",
        "/proc/no/such": "cannot be written",
        "x" * 300: "cannot be written",
    }
    for out, reason in reasons.items():
        monkeypatch.setattr(sys, "argv", ["export", "--model", "none.keras", "--out", out])
        with pytest.raises(FerflowError, match=reason):
            command.main()
    check_folder(tmp_path / "new" / "out")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["empty", "file"]
    assert not any((tmp_path / "empty").iterdir())


def test_a_litert_file_that_cannot_be_run_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: bytes) -> None:
        raise RuntimeError("tensor not allocated\nand more")

    monkeypatch.setattr(writing, "litert_classifier", refuse)
    model = network()
    report = export_model(model, "tiny", EMOTIONS, export_images(model), tmp_path / "out")
    assert [file.name for file in report.files] == ["model.onnx", "model.int8.onnx"]
    assert report.left_out["model.tflite"] == "model.tflite cannot be run (tensor not allocated)"


def test_what_onnx_cannot_hold_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    images = export_images(model)

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Unsupported ops\nand a page more")

    monkeypatch.setattr(onnx_int8, "quantize_static", refuse)
    with pytest.raises(FerflowError, match=r"^ONNX cannot hold this model in int8 \(Unsupported ops\)$"):
        export_model(model, "tiny", EMOTIONS, images, tmp_path / "out", formats=["onnx"])
    monkeypatch.setattr(tf2onnx.convert, "from_function", refuse)
    with pytest.raises(FerflowError, match=r"^ONNX cannot hold this model \(Unsupported ops\)$"):
        export_model(model, "tiny", EMOTIONS, images, tmp_path / "out", formats=["onnx"])
    assert not any(tmp_path.iterdir())


def test_what_litert_cannot_hold_is_left_out_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = litert._save, iter([False, True, True, True])

    def fail_but_once(model: keras.Model, folder: str) -> None:
        if next(calls):
            raise RuntimeError("no such operation\nand a page more")
        save(model, folder)

    monkeypatch.setattr(litert, "_save", fail_but_once)
    model = network()
    images, out = export_images(model), tmp_path / "out"
    report = export_model(model, "tiny", EMOTIONS, images, out, formats=["litert"])
    reason = "LiteRT cannot hold this model (no such operation)"
    assert report.left_out == {"model.int8.tflite": reason}
    assert [file.name for file in report.files] == ["model.tflite"]
    assert not (out / "model.int8.tflite").exists()
    text = (out / "report.md").read_text(encoding="utf-8").replace("\\", "")
    assert f"model.int8.tflite was not written: {reason}" in text

    with pytest.raises(FerflowError, match="nothing of tiny was exported: LiteRT cannot hold"):
        export_model(model, "tiny", EMOTIONS, images, tmp_path / "other", formats=["litert"])
    assert not (tmp_path / "other").exists()


def test_an_onnx_file_that_answers_otherwise_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = to_onnx(network(2), METADATA)
    monkeypatch.setattr(writing, "to_onnx", lambda *_: other)
    model = network(1)
    with pytest.raises(FerflowError, match=r"model.onnx does not answer like Keras"):
        export_model(model, "tiny", EMOTIONS, export_images(model), tmp_path / "out", formats=["onnx"])
    assert not any(tmp_path.iterdir())


def test_a_file_that_loses_too_much_is_warned_of() -> None:
    actual = np.arange(70, dtype=np.intp) % 7
    keras = np.eye(7, dtype=np.float32)[actual]
    wrong = keras.copy()
    wrong[:2] = np.roll(wrong[:2], 1, axis=1)

    def report(answers: Probabilities) -> Report:
        found = agreement(actual, answers, keras)
        file = ExportedFile("model.int8.onnx", "ONNX", "int8", 1, "", 1.0, found, "MinMax")
        return Report("m", {}, 70, {"accuracy": 1.0, "macro_f1": 1.0}, (file,))

    assert report(keras).warnings() == []
    assert report(wrong).files[0].agreement.as_dict()["accuracy_difference"] == pytest.approx(
        -2 / 70, abs=1e-6
    )
    (warning,) = report(wrong).warnings()
    assert re.search(r"model.int8.onnx loses [23]\.\d points", warning)
    assert warning in report(wrong).as_markdown().replace("\\", "")


def test_images_are_those_of_their_splits_and_the_same_every_time(tmp_path: Path) -> None:
    folder = data_folder(tmp_path / "data")
    images = np.load(folder / "images.npy")
    found, again = images_in(folder, drawn=6), images_in(folder, drawn=6)
    assert np.array_equal(found.calibration, again.calibration)
    assert (len(found.calibration), len(found.validation), len(found.test)) == (6, 6, 10)
    assert np.array_equal(found.test, images[3::4])
    assert found.test_labels.tolist() == [row % 7 for row in range(3, 40, 4)]
    assert all(
        any(np.array_equal(image, images[row]) for row in range(40) if row % 4 < 2)
        for image in found.calibration
    )

    with pytest.raises(FerflowError, match="val split has no samples"):
        images_in(data_folder(tmp_path / "other", ("train", "test")))
    with pytest.raises(FerflowError, match=r"images.npy is missing"):
        images_in(tmp_path / "nowhere")


def test_the_command_exports_a_keras_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data_folder(tmp_path / "data")
    save_model(network(), tmp_path / "tiny.keras")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["export", "--model", "tiny.keras", "--data", "data", "--formats", "onnx"]
    )
    command.main()
    assert (tmp_path / "exports" / "tiny" / "model.int8.onnx").is_file()
    assert "exports/tiny/model.onnx: " in capsys.readouterr().out

    monkeypatch.setattr(sys, "argv", ["export", "--model", "exports/tiny/model.onnx", "--data", "data"])
    with pytest.raises(FerflowError, match="an exported file already"):
        command.main()
    np.save(tmp_path / "data" / "images.npy", np.zeros((40, 8, 8, 1), np.uint8))
    monkeypatch.setattr(sys, "argv", ["export", "--model", "tiny.keras", "--data", "data"])
    with pytest.raises(FerflowError, match=re.escape(f"takes images {SHAPE}")):
        command.main()


def test_without_converters_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_CONVERTERS", ("onnx", "no_such_module"))
    monkeypatch.setattr(sys, "argv", ["export"])
    with pytest.raises(
        FerflowError, match=r"^no_such_module is not installed: pip install 'ferflow\[export\]'$"
    ):
        command.main()


def test_a_folder_is_called_by_version_or_title() -> None:
    assert command.folder_name("any", {"registered_model": "ferflow", "version": "3"}) == "ferflow-v3"
    assert command.folder_name("../run a/b", {}) == "run-a-b"
