from __future__ import annotations

import json
from pathlib import Path

import pytest

from ferflow.errors import FerflowError
from ferflow.params import EvaluateParams, Params
from ferflow.trials import results
from ferflow.trials.grid import Trial, grid
from ferflow.trials.results import Result, as_text, best_first, read_result

from .conftest import Repository

REPORT = "reports/sample/quick/models/cnn2_small"


@pytest.fixture
def trials(params: Params) -> dict[str, Trial]:
    settings = ["batch_size=32", "options.dropout=0.3,0.4,0.5"]
    return dict(zip("abc", grid(params, "cnn2_small", settings), strict=True))


def write_report(repository: Repository, macro_f1: float, evaluate: EvaluateParams) -> None:
    info = {
        "model": "cnn2_small",
        "architecture": "cnn2_small",
        "parameters": 9,
        "trainable_parameters": 9,
        "epochs": 8,
        "precision": "float32",
        "fingerprint": "abcdef0123",
        "input_size": 64,
        "evaluate": evaluate.model_dump(),
    }
    repository.write(f"{REPORT}/model.json", json.dumps(info))
    metrics = {"val": {"macro_f1": macro_f1, "accuracy": 0.5}, "test": {"macro_f1": 1 - macro_f1}}
    repository.write(f"{REPORT}/metrics.json", json.dumps(metrics))


def test_the_best_on_validation_is_first_and_of_equals_the_earlier() -> None:
    found = {"a": Result(0.5, 0.9, 1), "b": Result(0.7, 0.1, 1), "c": Result(0.5, 0.9, 1)}
    assert best_first(found) == ["b", "a", "c"]


def test_the_table_is_narrow_sorted_and_marks_the_present_values(
    params: Params, trials: dict[str, Trial]
) -> None:
    found = {"a": Result(0.5, 0.61, 8), "b": Result(0.7124, 0.7, 5), "c": Result(0.6, 0.6, 8)}
    lines = as_text(trials, found, params.recipe("cnn2_small")).splitlines()
    assert lines[0].split() == ["trial", "batch_size", "dropout", "val", "F1", "val", "acc.", "epochs"]
    assert [line.split() for line in lines[2:]] == [
        ["b", "32", "0.4", "0.712", "70.0%", "5"],
        ["c", "*", "32", "0.5", "0.600", "60.0%", "8"],
        ["a", "32", "0.3", "0.500", "61.0%", "8"],
        ["*", "as", "params.yaml", "is", "now"],
    ]
    assert max(map(len, lines)) <= 100


def test_without_the_present_values_nothing_is_marked(params: Params, trials: dict[str, Trial]) -> None:
    text = as_text({"a": trials["a"]}, {"a": Result(0.5, 0.6, 8)}, params.recipe("cnn2_small"))
    assert "*" not in text


def test_reports_are_read_from_the_experiments_not_from_the_work_tree(
    repository: Repository,
    params: Params,
    trials: dict[str, Trial],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commits = {}
    for name, macro_f1 in {"a": 0.25, "b": 0.75}.items():
        write_report(repository, macro_f1, params.evaluate)
        commits[name] = repository.commit()
    write_report(repository, 0.99, params.evaluate)
    logged: list[float] = []

    def log(_: Params, model: str, reports: dict[str, Path]) -> str:
        assert model == "cnn2_small"
        contents = [json.loads((report / "metrics.json").read_text()) for report in reports.values()]
        logged.extend(content["val"]["macro_f1"] for content in contents)
        return "the page"

    monkeypatch.setattr(results, "_log", log)
    results.show(params, "cnn2_small", {name: trials[name] for name in commits}, commits)
    assert logged == [0.25, 0.75]
    output = capsys.readouterr().out
    assert "0.750" in output
    assert "0.990" not in output
    assert "best       b: batch_size 32, options.dropout 0.4" in output
    # What it says to type is what `ferflow.switch` takes.
    assert (
        "ferflow.switch models.cnn2_small.recipe.batch_size=32 models.cnn2_small.recipe.options.dropout=0.4 "
        in output
    )
    assert "the page" in output


def test_a_commit_without_a_report_is_one_line(
    repository: Repository, params: Params, trials: dict[str, Trial]
) -> None:
    commit = repository.commit()
    with pytest.raises(FerflowError, match=f"the experiment a has no {REPORT}") as raised:
        results.show(params, "cnn2_small", {"a": trials["a"]}, {"a": commit})
    assert "\n" not in str(raised.value)


def test_another_way_to_evaluate_is_not_compared(repository: Repository, params: Params) -> None:
    other = params.evaluate.model_copy(update={"horizontal_flip": not params.evaluate.horizontal_flip})
    write_report(repository, 0.5, other)
    assert read_result(Path(REPORT), other) == Result(0.5, 0.5, 8)
    with pytest.raises(FerflowError, match="`dvc exp remove cnn2_small-abcdef0`"):
        read_result(Path(REPORT), params.evaluate)


def test_a_damaged_report_is_one_line(repository: Repository, params: Params) -> None:
    write_report(repository, 0.5, params.evaluate)
    repository.write(f"{REPORT}/metrics.json", '{"val": {"accuracy": 0.5}}')
    with pytest.raises(FerflowError, match=r"val\.macro_f1 or val\.accuracy is missing"):
        read_result(Path(REPORT), params.evaluate)
