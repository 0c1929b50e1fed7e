from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ferflow import __main__
from ferflow.models.saving import save_model
from ferflow.serving import command
from ferflow.serving.predictor import Predictor

from .pictures import LABELS, BrightHalves, encoded, flat, model, noise, written
from .test_opening import network

ROOT = Path(__file__).parents[2]


@pytest.fixture
def predict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command, with a model that tells pictures by their brightness."""
    monkeypatch.setattr(command, "Predictor", lambda _: Predictor(model(), BrightHalves()))  # type: ignore[arg-type]

    def run(*words: str) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["ferflow", "predict", *words])
        with pytest.raises(SystemExit) as exit_:
            __main__.main()
        out, err = capsys.readouterr()
        return exit_.value.code, out, err

    return run


@pytest.fixture
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.keras"
    save_model(network(), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    list(written(tmp_path, {"a.png": 250, "b.png": 0}))
    return tmp_path


def test_a_table_is_for_people(predict: Any, folder: Path) -> None:
    code, out, err = predict(str(folder))
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["image", "emotion", *LABELS]
    assert lines[2].split()[:4] == [str(folder / "a.png"), "bright", "94.3", "%"]
    assert lines[3].split()[1] == "dark"
    assert lines[-1] == "by test model"
    assert "skipped" not in err


def test_csv_has_a_row_for_each_face(predict: Any, tmp_path: Path) -> None:
    (tmp_path / "both.png").write_bytes(encoded(noise()))
    (tmp_path / "none.png").write_bytes(encoded(flat(0, 30)))
    (tmp_path / "text.png").write_text("no image, with a comma")
    code, out, err = predict(str(tmp_path), "--faces", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == command.SKIPPED
    assert [(Path(row["image"]).name, row["status"], row["face"]) for row in rows] == [
        ("both.png", "answered", "1"), ("both.png", "answered", "2"), ("none.png", "no face", ""),
        ("text.png", "rejected", ""),
    ]  # fmt: skip
    assert [rows[0][edge] for edge in ("left", "top", "right", "bottom")] == ["10", "0", "30", "20"]
    assert sum(float(rows[0][label]) for label in LABELS) == pytest.approx(1, abs=1e-5)
    assert rows[0]["emotion"] == max(LABELS, key=lambda label: float(rows[0][label]))
    assert rows[3]["reason"] == "not an image"
    assert err.splitlines()[-1].startswith(f"skipped: {tmp_path / 'text.png'}: not an image")


def test_json_is_one_array(predict: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(noise()))
    (tmp_path / "b.png").write_bytes(b"")
    code, out, _ = predict(str(tmp_path), "--faces", "--format", "json")
    answered, rejected = json.loads(out)
    assert code == command.SKIPPED
    assert answered["faces"][0]["box"] == {"left": 10, "top": 0, "right": 30, "bottom": 20}
    assert list(answered["faces"][0]["probabilities"]) == list(LABELS)
    assert rejected == {
        "image": str(tmp_path / "b.png"), "status": "rejected", "reason": "empty file",
        "remedy": "copy it again from its source",
    }  # fmt: skip


def test_without_a_face_the_table_says_so_and_that_is_an_answer(predict: Any, tmp_path: Path) -> None:
    (tmp_path / "none.png").write_bytes(encoded(flat(0, 30)))
    code, out, _ = predict(str(tmp_path / "none.png"), "--faces")
    assert code == 0
    assert "– no face found" in out


def test_if_nothing_can_be_read_it_fails(predict: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    code, _, err = predict(str(tmp_path))
    assert code == 1
    assert err.splitlines()[-1] == "error: none of 1 images could be read."


@pytest.mark.parametrize(
    "words",
    [[], ["x.png", "--format", "xml"], ["x.png", "--batch-size", "0"], ["x.png", "--batch-size", "a"]],
)
def test_a_wrong_command_line_is_told_with_exit_code_2(predict: Any, words: list[str]) -> None:
    code, _, err = predict(*words)
    assert code == 2
    assert err.startswith("usage: ferflow predict")


def test_a_missing_image_and_a_missing_model_are_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(flat(0)))
    for words, problem in (
        (["b.png"], "error: b.png is missing"),
        (["a.png"], f"error: there is no MLflow store here ({tmp_path}/mlflow.db is missing)"),
        (["a.png", "--model", "x.keras"], "error: x.keras is missing"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ferflow", "predict", *words],
            cwd=tmp_path,
            # Other tests leave the address of their store there.
            env={name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(problem)
        assert len(done.stderr.splitlines()) == 1
        assert not done.stdout


def test_a_missing_image_among_others_is_skipped(predict: Any, folder: Path) -> None:
    code, out, err = predict(str(folder / "a.png"), str(folder / "none.png"))
    assert code == command.SKIPPED
    assert "bright" in out
    assert err.splitlines()[-1].startswith(f"skipped: {folder / 'none.png'} is missing")


@pytest.mark.parametrize("format_", ["table", "csv", "json"])
def test_a_file_may_be_called_by_bytes_that_are_no_text(
    folder: Path, format_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "b.png").rename(folder / os.fsdecode(b"\xff.png"))
    monkeypatch.setattr(command, "Predictor", lambda _: Predictor(model()))
    written_to = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written_to, encoding="utf-8"))
    monkeypatch.setattr(sys, "argv", ["ferflow", "predict", str(folder), "--format", format_])
    with pytest.raises(SystemExit) as exit_:
        __main__.main()
    assert exit_.value.code == 0
    assert b"\\udcff.png" in written_to.getvalue()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_a_full_disk_is_told_in_one_line(file: Path, folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ferflow", "predict", str(folder), "--model", str(file)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: the answers cannot be written (No space left on device): is there space?\n"


def test_mlflow_is_told_to_send_nothing_before_it_is_imported(tmp_path: Path) -> None:
    code = (
        "import ferflow, os, sys\n"
        "try: ferflow.predict('a.png')\n"
        "except Exception as error: print(error)\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled\n"
        "print(is_telemetry_disabled(), os.environ['MLFLOW_HTTP_REQUEST_MAX_RETRIES'])"
    )
    environment = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    environment.pop("DO_NOT_TRACK", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "True 2"


def test_asking_for_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['ferflow', 'predict', '--help']\n"
        "from ferflow.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print([m for m in ('keras', 'mlflow', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
