from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from ruamel.yaml import YAML

from ferflow import style
from ferflow.errors import FerflowError
from ferflow.evaluation import leaderboard
from ferflow.evaluation.leaderboard_figure import leaderboard_figure
from ferflow.files import read_json, read_table, write_json
from ferflow.params import EvaluateParams, load_params

from .invented import MODEL

ROOT = Path(__file__).parents[2]


def write_report(
    folder: Path,
    name: str,
    *,
    val: float = 0.6,
    test: float = 0.5,
    parameters: int = 1000,
    flip: bool = False,
) -> None:
    def scores(value: float, samples: int) -> dict[str, float | int]:
        return {"macro_f1": value, "accuracy": value + 0.05, "log_loss": 1.2, "samples": samples}

    views = EvaluateParams(horizontal_flip=flip, shift=0)
    info = MODEL.model_copy(update={"model": name, "parameters": parameters, "evaluate": views})
    write_json(folder / name / "metrics.json", {"val": scores(val, 300), "test": scores(test, 400)})
    write_json(folder / name / "model.json", info.model_dump())


def test_models_are_ranked_by_validation_whatever_the_test_split_says(tmp_path: Path) -> None:
    write_report(tmp_path, "low", val=0.5, test=0.9)
    write_report(tmp_path, "high", val=0.7, test=0.1)
    ranked = leaderboard.rank(leaderboard.read(tmp_path, ["low", "high"]))
    assert list(ranked["model"]) == ["high", "low"]
    assert list(ranked["rank"]) == [1, 2]


def test_equals_are_ranked_by_parameters_then_by_name(tmp_path: Path) -> None:
    sizes = {"b_small": 10, "a_large": 20, "a_small": 10}
    for name, parameters in sizes.items():
        write_report(tmp_path, name, parameters=parameters)
    ranked = leaderboard.rank(leaderboard.read(tmp_path, sizes))
    assert list(ranked["model"]) == ["a_small", "b_small", "a_large"]


def test_the_standard_error_stands_beside_the_test_accuracy(tmp_path: Path) -> None:
    write_report(tmp_path, "cnn4", test=0.45)
    ranked = leaderboard.rank(leaderboard.read(tmp_path, ["cnn4"]))
    assert ranked["test_accuracy_se"].iloc[0] == pytest.approx((0.5 * 0.5 / 400) ** 0.5)
    assert "50.0 ± 2.5%" in leaderboard.as_markdown(ranked)
    assert "50.0 ± 2.5%" in leaderboard.as_text(ranked)


def test_the_page_marks_the_champion_and_says_how_it_is_chosen(tmp_path: Path) -> None:
    write_report(tmp_path, "other", val=0.5)
    write_report(tmp_path, "best", val=0.7)
    ranked = leaderboard.rank(leaderboard.read(tmp_path, ["other", "best"]))
    page = leaderboard.as_markdown(ranked)
    assert (
        "The champion is **best**: the highest macro-F1 on the validation split (0.700, 300 samples)" in page
    )
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert ["champion" in row for row in rows] == [False, False, True, False]
    assert len({row.count("|") for row in rows}) == 1
    assert [line.split()[1:3] for line in leaderboard.as_text(ranked).splitlines()[2:4]] == [
        ["best", "*"],
        ["other", "0.500"],
    ]


@pytest.mark.parametrize("name", ["metrics.json", "model.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_report(tmp_path, "cnn4")
    (tmp_path / "cnn4" / name).unlink()
    with pytest.raises(FerflowError, match=rf"cnn4/{name} is missing: run `dvc repro`"):
        leaderboard.read(tmp_path, ["cnn4"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics.json", {"val": {}, "test": {}}, r"metrics\.json: val\.macro_f1 is missing or not a number"),
        ("metrics.json", [], r"val\.macro_f1 is missing or not a number"),
        ("metrics.json", {"val": {"macro_f1": "0.5"}}, r"val\.macro_f1 is missing or not a number"),
        ("model.json", {"model": "cnn4"}, r"model\.json is not complete \(architecture, parameters,"),
        ("model.json", [], r"model\.json is not complete"),
        ("model.json", MODEL.model_dump() | {"model": "vgg"}, r"model\.json is of the model vgg"),
    ],
)
def test_a_file_that_is_not_complete_is_named(tmp_path: Path, name: str, content: Any, message: str) -> None:
    write_report(tmp_path, "cnn4")
    write_json(tmp_path / "cnn4" / name, content)
    with pytest.raises(FerflowError, match=message):
        leaderboard.read(tmp_path, ["cnn4"])


def test_models_that_were_measured_on_different_samples_are_not_compared(tmp_path: Path) -> None:
    write_report(tmp_path, "old")
    write_report(tmp_path, "new")
    metrics = read_json(tmp_path / "old" / "metrics.json")
    metrics["test"]["samples"] = 399
    write_json(tmp_path / "old" / "metrics.json", metrics)
    with pytest.raises(FerflowError, match=r"different test samples \(old 399, new 400\)"):
        leaderboard.read(tmp_path, ["old", "new"])


def test_models_that_saw_other_views_are_not_compared(tmp_path: Path) -> None:
    write_report(tmp_path, "old")
    write_report(tmp_path, "new", flip=True)
    with pytest.raises(FerflowError, match=r"different views of an image \(old 1, new 2\)"):
        leaderboard.read(tmp_path, ["old", "new"])


def test_the_page_says_over_how_many_views_all_probabilities_are_the_mean(tmp_path: Path) -> None:
    write_report(tmp_path, "one")
    write_report(tmp_path, "two", flip=True)
    one, two = (leaderboard.rank(leaderboard.read(tmp_path, [name])) for name in ("one", "two"))
    assert "views" not in leaderboard.as_markdown(one)
    assert "the mean over 2 views of an image" in leaderboard.as_markdown(two)


def test_a_report_from_before_there_were_views_is_of_one_view(tmp_path: Path) -> None:
    write_report(tmp_path, "old")
    path = tmp_path / "old" / "model.json"
    content = read_json(path)
    del content["evaluate"], content["views"]
    write_json(path, content)
    assert leaderboard.read(tmp_path, ["old"])["views"].tolist() == [1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a params.yaml of two models and the reports of those two and of a removed one."""
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["models"] = dict(list(params["models"].items())[:2])
    YAML(pure=True).dump(params, tmp_path / "params.yaml")
    for place, name in enumerate(params["models"]):
        write_report(tmp_path / "reports" / "models", name, val=0.5 + 0.1 * place)
    write_report(tmp_path / "reports" / "models", "removed", val=0.9)
    return tmp_path


def run_compare(project: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        str(ROOT / "stages/compare.py"),
        "--reports",
        "reports/models",
        "--out",
        "reports",
    ]
    return subprocess.run(command, cwd=project, capture_output=True, encoding="utf-8", check=False)


def test_the_stage_compares_the_models_of_the_params_and_no_others(project: Path, tmp_path: Path) -> None:
    second, first = load_params(project / "params.yaml").models
    process = run_compare(project)
    assert (process.returncode, process.stderr) == (0, "")
    assert f"1  {first} *" in process.stdout
    reports = project / "reports"
    assert list(read_table(reports / "leaderboard.csv")["model"]) == [first, second]
    written = [reports / f"leaderboard.{suffix}" for suffix in ("csv", "md", "png")]
    for path in written[:2]:
        assert "removed" not in path.read_text(encoding="utf-8")
    with Image.open(reports / "leaderboard.png") as image:
        assert image.size == (1920, 560)

    again = tmp_path / "again"
    ranked = leaderboard.rank(leaderboard.read(reports / "models", [second, first]))
    leaderboard.write(again, ranked)
    style.save_png(again / "leaderboard.png", leaderboard_figure(ranked))
    for path in written:
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_the_stage_stops_with_one_line_where_a_model_has_no_report(project: Path) -> None:
    missing = next(iter(load_params(project / "params.yaml").models))
    (project / "reports" / "models" / missing / "metrics.json").unlink()
    process = run_compare(project)
    assert process.returncode == 1
    assert process.stderr == (
        f"error: reports/models/{missing}/metrics.json is missing: run `dvc repro` to make it.\n"
    )
    assert not (project / "reports" / "leaderboard.csv").exists()
