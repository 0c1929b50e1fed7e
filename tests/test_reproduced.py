"""Committed results against those of a run from scratch, in a project of two invented models."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from ferflow.changes import leaderboard_changes
from ferflow.changes import main as changes
from ferflow.dvc_lock import Digests
from ferflow.errors import FerflowError
from ferflow.evaluation.metrics import summarize
from ferflow.evaluation.outcomes import join
from ferflow.labels import EMOTIONS
from ferflow.reproduced.check import Findings, Machine, compare
from ferflow.reproduced.committed import committed_files, work_tree_files
from ferflow.reproduced.scratch import main as scratch
from ferflow.reproduced.wording import as_markdown, as_text

ROOT = Path(__file__).parent.parent
REPORTS = "reports/sample/quick"
PIPELINE = """\
stages:
  split: {cmd: split}
  train: {foreach: "${models}", do: {cmd: train}}
  evaluate: {foreach: "${models}", do: {cmd: evaluate}}
  measure: {cmd: measure}
"""


class Project:
    """A work tree in which an invented pipeline runs: it writes outputs, and dvc.lock as DVC would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("dvc.yaml", PIPELINE)
        self.write("params.yaml", "models: {big: {}, small: {}}\n")
        self.write(".gitignore", "/data/\n/models/\n/.dvc/\n")
        self.write(".dvc/config", "")
        self.lock: dict[str, Any] = {}
        self._git("init", "--quiet")

    def write(self, path: str, content: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def run(
        self,
        seed: int = 0,
        *,
        processor: str = "A",
        code: str = "1",
        rate: float = 0.1,
        splits: str = "one",
        skill: float = 2.5,
        samples: int = 400,
    ) -> None:
        """Make every output anew: `seed` stands for the last digits of a machine's arithmetic."""
        self.lock = {}
        self.write("data/sample/splits.parquet", splits)
        self.write("reports/sample/validation/report.json", "{}")
        self.write("reports/sample/validation/pages/index.html", "<p>")
        data = ["data/sample/splits.parquet", "reports/sample/validation"]
        self._lock("split", {"src/split.py": "1"}, {}, [], data)
        for model in ("big", "small"):
            weights, folder = f"models/sample/quick/{model}/model.keras", f"{REPORTS}/models/{model}"
            self.write(weights, f"{model} {seed} {code} {rate} {skill}")
            self._lock(
                f"train@{model}", {"src/train.py": code}, {f"models.{model}": rate}, data[:1], [weights]
            )
            table, metrics = answers(seed, skill, samples)
            self.write(f"{folder}/training.json", json.dumps({"device": "cpu", "precision": "float32"}))
            table.to_parquet(self.root / folder / "predictions.parquet", index=False)
            self.write(f"{folder}/metrics.json", metrics)
            outs = [f"{folder}/{name}" for name in ("training.json", "predictions.parquet", "metrics.json")]
            self._lock(f"evaluate@{model}", {}, {}, [weights], outs)
        costs = {model: {"device": processor} for model in ("big", "small")}
        self.write(f"{REPORTS}/costs.json", json.dumps(costs))
        self._lock("measure", {}, {}, ["models/sample/quick"], [f"{REPORTS}/costs.json"])
        self.write_lock()

    def _lock(
        self, name: str, code: dict[str, str], params: dict[str, Any], needs: list[str], outs: list[str]
    ) -> None:
        files = {path.relative_to(self.root).as_posix(): path.read_bytes() for path in self._files()}
        self.lock[name] = {
            "cmd": f"python {name}",
            "deps": [{"path": path, "md5": md5} for path, md5 in code.items()]
            + [{"path": path, "md5": Digests(files, files.__getitem__).of(path)} for path in needs],
            "params": {"params.yaml": params},
            "outs": [{"path": path, "md5": Digests(files, files.__getitem__).of(path)} for path in outs],
        }

    def _files(self) -> list[Path]:
        return [
            path
            for name in ("data", "models", "reports")
            for path in (self.root / name).rglob("*.*")
            if path.is_file()
        ]

    def write_lock(self) -> None:
        with (self.root / "dvc.lock").open("w", encoding="utf-8") as stream:
            YAML().dump({"schema": "2.0", "stages": self.lock}, stream)

    def set_digest(self, path: str) -> None:
        """Forge the digest that dvc.lock has of an output."""
        content = (self.root / path).read_bytes()
        for stage in self.lock.values():
            for out in stage["outs"]:
                if out["path"] == path:
                    out["md5"] = Digests([path], lambda _: content).of(path)
        self.write_lock()

    def commit(self) -> None:
        self._git("add", "--all")
        self._git(
            "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "results"
        )

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, check=True)

    def findings(self, machine: Machine = "auto") -> Findings:
        return compare(self.committed(), work_tree_files(self.root), self.root, machine)

    def committed(self) -> dict[str, bytes]:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.root)
            return committed_files("HEAD")


@functools.cache
def answers(seed: int, skill: float, samples: int) -> tuple[pd.DataFrame, str]:
    """A table of predictions and the text of its metrics."""
    table = predictions(seed, skill=skill, samples=samples)
    return table, json.dumps(summarize(join(table, table)))


def predictions(seed: int, *, skill: float, samples: int) -> pd.DataFrame:
    """Answers to the same samples: of another seed they differ as those of a second training do."""
    shared, own = np.random.default_rng(1), np.random.default_rng(seed)
    labels = shared.choice(EMOTIONS, size=2 * samples)
    truth = labels[:, None] == np.array(EMOTIONS)
    common = shared.normal(size=truth.shape) + skill * truth
    scores = np.exp(common + 0.5 * own.normal(size=truth.shape))
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "sample_id": [f"{number:06d}" for number in range(2 * samples)],
            "split": ["val", "test"] * samples,
            "label": labels,
            "predicted": np.array(EMOTIONS)[probabilities.argmax(axis=1)],
            **{f"p_{emotion}": probabilities[:, place] for place, emotion in enumerate(EMOTIONS)},
        }
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose results are committed and in the work tree."""
    made = Project(tmp_path)
    made.run()
    made.commit()
    return made


def test_equal_bytes_on_the_same_kind_of_machine(project: Project) -> None:
    project.run()
    findings = project.findings()
    assert findings.problems == []
    assert findings.exact
    assert findings.equal == findings.outputs == 11
    assert [pair.equal for pair in findings.pairs] == [True, True]
    assert as_markdown(findings, "HEAD").startswith("## The results of HEAD are reproduced to the byte\n")


@pytest.mark.parametrize("seed", range(1, 4))
def test_other_digits_on_another_machine_are_reproduced_by_their_statistics(
    project: Project, seed: int
) -> None:
    project.run(seed, processor="B")
    findings = project.findings()
    assert findings.problems == []
    assert findings.machine == {"processor A → B"}
    assert all(pair.within and not pair.equal for pair in findings.pairs)
    assert "another kind of machine: processor A → B" in as_text(findings, "HEAD")


def test_other_digits_on_the_same_kind_of_machine_are_not_reproduced(project: Project) -> None:
    project.run(seed=1)
    problems = project.findings().problems
    assert "not the committed bytes (train@big): models/sample/quick/big/model.keras" in problems
    assert any(problem.startswith("not the committed bytes (evaluate@small): ") for problem in problems)
    assert project.findings("other").problems == []


def test_equal_bytes_can_be_asked_of_another_machine(project: Project) -> None:
    project.run(seed=1, processor="B")
    assert project.findings("same").problems


def test_times_may_differ_on_the_same_kind_of_machine(project: Project) -> None:
    project.write(
        f"{REPORTS}/costs.json", json.dumps({m: {"device": "A", "ms": 2} for m in ("big", "small")})
    )
    project.set_digest(f"{REPORTS}/costs.json")
    assert project.findings().problems == []


def test_a_model_that_got_worse_is_not_reproduced_on_any_machine(project: Project) -> None:
    project.run(seed=1, processor="B", skill=1.8)
    findings = project.findings()
    assert [pair.within for pair in findings.pairs] == [False, False]
    assert "big: accuracy -" in findings.problems[0]
    assert "where chance explains" in findings.problems[0]
    assert "NOT REPRODUCED" in as_markdown(findings, "HEAD")


def test_a_lock_of_other_code_is_stale(project: Project) -> None:
    project.run(seed=1, processor="B", code="2")
    assert (
        "stale dvc.lock: it is of another state of src/train.py (train@big, train@small)"
        in project.findings().problems
    )


def test_what_follows_from_stale_code_is_not_listed(project: Project) -> None:
    project.run(code="2")
    assert [problem.split(":")[0] for problem in project.findings().problems] == ["stale dvc.lock"]


def test_a_lock_of_other_params_is_stale(project: Project) -> None:
    project.run(seed=1, processor="B", rate=0.2)
    problems = project.findings().problems
    assert "stale dvc.lock: it is of another state of params.yaml: models.big (train@big)" in problems


def test_data_have_to_be_equal_bytes_on_any_machine(project: Project) -> None:
    project.run(seed=1, processor="B", splits="two")
    assert "not the committed bytes (split): data/sample/splits.parquet" in project.findings().problems


def test_an_edited_metrics_file_is_found(project: Project) -> None:
    path = f"{REPORTS}/models/big/metrics.json"
    metrics = json.loads((project.root / path).read_text())
    metrics["test"]["accuracy"] = 0.99
    project.write(path, json.dumps(metrics))
    project.commit()
    project.run(seed=1, processor="B")
    problems = project.findings().problems
    assert f"the committed {path} is not the one that dvc.lock names (evaluate@big)" in problems
    assert f"stale {path}: not of its predictions (test.accuracy)" in problems


def test_an_edited_metrics_file_with_its_lock_is_found(project: Project) -> None:
    path = f"{REPORTS}/models/big/metrics.json"
    project.write(path, (project.root / path).read_text().replace("accuracy_low", "accuracy_lowest"))
    project.set_digest(path)
    project.commit()
    project.run(seed=1, processor="B")
    assert project.findings().problems == [
        f"stale {path}: not of its predictions (test.accuracy_low, val.accuracy_low)"
    ]


def test_a_file_of_a_committed_folder_that_was_edited_is_found(project: Project) -> None:
    project.write("reports/sample/validation/report.json", '{"passed": true}')
    project.commit()
    project.run()
    problems = project.findings().problems
    assert problems == ["the committed reports/sample/validation is not the one that dvc.lock names (split)"]


def test_other_samples_are_refused(project: Project) -> None:
    project.run(seed=1, processor="B", samples=300)
    assert any(
        "big: the committed predictions are of other samples" in each for each in project.findings().problems
    )


def test_a_model_without_committed_results_is_named(project: Project) -> None:
    for name in ("train@big", "evaluate@big"):
        del project.lock[name]
    project.write_lock()
    project.commit()
    project.run()
    assert "dvc.lock has no stage train@big: commit it with its results" in project.findings().problems


def test_a_model_that_was_removed_is_not_asked_for(project: Project) -> None:
    """DVC keeps its stages in dvc.lock."""
    project.write("params.yaml", "models: {small: {}}\n")
    project.commit()
    (project.root / "models/sample/quick/big/model.keras").unlink()
    findings = project.findings()
    assert findings.problems == []
    assert [pair.model for pair in findings.pairs] == ["small"]


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("dvc.lock", "a: [", r"dvc\.lock \(committed\) is not valid YAML"),
        ("dvc.lock", "stages:", r"dvc\.lock \(committed\) is not of the form that DVC reads"),
        ("dvc.yaml", "", r"dvc\.yaml \(committed\) is not of the form that DVC reads"),
    ],
)
def test_committed_files_of_another_form_are_one_line(
    project: Project, path: str, content: str, said: str
) -> None:
    kept = (project.root / path).read_bytes()
    project.write(path, content)
    project.commit()
    project.write(path, kept)
    with pytest.raises(FerflowError, match=said) as caught:
        project.findings()
    assert "\n" not in str(caught.value)


def test_reports_of_another_form_are_one_line(project: Project) -> None:
    path = f"{REPORTS}/models/big"
    table = pd.read_parquet(project.root / path / "predictions.parquet")
    for name, content in (("a", table.drop(columns="label")), ("b", table.assign(p_fear="much"))):
        content.to_parquet(project.root / name)
        project.write(f"{path}/predictions.parquet", (project.root / name).read_bytes())
        project.commit()
        project.run()
        assert f"{path}/predictions.parquet is no table of predictions" in str(project.findings().problems)
    project.write(f"{path}/metrics.json", "[]")
    project.commit()
    project.run()
    assert f"{path}/metrics.json is no JSON object" in str(project.findings().problems)


@pytest.mark.parametrize("content", ["{}", '{"big": []}'])
def test_an_unknown_machine_has_to_be_named(project: Project, content: str) -> None:
    """Emptied, costs.json would make it another machine, of which less is asked."""
    project.write(f"{REPORTS}/costs.json", content)
    project.set_digest(f"{REPORTS}/costs.json")
    project.commit()
    project.run(seed=1)
    with pytest.raises(FerflowError, match=r"unknown machine: .* `--machine same` or `--machine other`"):
        project.findings()
    assert project.findings("same").problems
    assert not project.findings("other").problems


def test_a_lock_that_contradicts_itself_is_found(project: Project) -> None:
    project.lock["evaluate@big"]["deps"][0]["md5"] = "0" * 32
    project.write_lock()
    project.commit()
    project.run()
    assert (
        "the committed dvc.lock does not agree with itself: evaluate@big was made of another "
        "models/sample/quick/big/model.keras"
    ) in project.findings().problems


def test_without_a_run_nothing_is_compared(project: Project) -> None:
    (project.root / "data/sample/splits.parquet").unlink()
    with pytest.raises(FerflowError, match=r"splits\.parquet is missing: run `make repro`"):
        project.findings()


def test_a_broken_table_is_one_line(project: Project) -> None:
    project.write(f"{REPORTS}/models/big/predictions.parquet", b"broken")
    project.commit()
    project.run()
    assert any("predictions.parquet cannot be read" in problem for problem in project.findings().problems)


def test_the_digest_is_the_one_of_dvc() -> None:
    lock = YAML(typ="safe").load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in (ROOT / "reports/sample/validation").rglob("*")
    }
    expected = next(out for out in lock["stages"]["validate"]["outs"] if out["path"].startswith("reports"))
    digests = Digests(files, files.__getitem__)
    assert digests.of(expected["path"]) == expected["md5"]
    assert digests.of("reports/none") is None


def _command(project: Project, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", module, *arguments],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_writes_its_summary_and_fails_with_one_line(project: Project) -> None:
    project.run(seed=1)
    summary = project.root / "summary.md"
    result = _command(project, "ferflow.reproduced", "--base", "HEAD", "--summary", str(summary))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        "error: not the committed bytes (train@big): models/sample/quick/big/model.keras (and 3 more)"
    )
    assert "`--machine other`" in result.stderr
    assert summary.read_text(encoding="utf-8").startswith("## The results of HEAD are not reproduced")
    assert " tensorflow" not in result.stderr
    assert " mlflow" not in result.stderr


def test_an_unknown_commit_is_one_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    with pytest.raises(FerflowError, match="git cannot read the results of 'nowhere'"):
        committed_files("nowhere")


def test_scratch_deletes_what_a_run_makes_again(project: Project) -> None:
    project.write(f"{REPORTS}/models/old/metrics.json", "{}")
    result = _command(project, "ferflow.reproduced.scratch")
    assert result.returncode == 0, result.stderr
    left = {
        path.relative_to(project.root).as_posix()
        for path in project.root.glob("[dmr]*/**/*")
        if path.is_file()
    }
    assert left == {f"{REPORTS}/costs.json", f"{REPORTS}/models/old/metrics.json"}


@pytest.mark.parametrize(
    "path", ["{outside}", ".", ".git", "src", "dvc.yaml", "data", "data/../src", "data/link/x"]
)
def test_scratch_deletes_nothing_that_the_pipeline_does_not_make(
    project: Project,
    path: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x").write_text("kept")
    project.write("src/code.py", "kept")
    (project.root / "data/link").symlink_to(outside)
    project.lock["split"]["outs"][0]["path"] = path.format(outside=outside)
    project.write_lock()
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "argv", ["scratch"])
    with pytest.raises(FerflowError, match="nothing was deleted"):
        scratch()
    assert (outside / "x").exists()
    assert (project.root / "src/code.py").exists()
    assert (project.root / REPORTS / "models/big/metrics.json").exists()


def test_scratch_deletes_a_link_and_not_what_it_stands_for(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path_factory.mktemp("cache") / "splits"
    cached.write_text("kept")
    link = project.root / "data/sample/splits.parquet"
    link.unlink()
    link.symlink_to(cached)
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "argv", ["scratch"])
    scratch()
    assert cached.exists()
    assert not link.is_symlink()


def test_after_scratch_dvc_runs_every_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its lock or its run cache it would bring back what was made before."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[cache]\n    dir = ../kept\n")
    (tmp_path / "params.yaml").write_text("{}")
    (tmp_path / "data").mkdir()
    command = "echo made >> runs && echo result > data/out"
    (tmp_path / "dvc.yaml").write_text(
        f"stages: {{make: {{cmd: {command}, deps: [params.yaml], outs: [data/out]}}}}"
    )
    repro = [sys.executable, "-m", "dvc", "repro", "--quiet"]
    monkeypatch.setattr(sys, "argv", ["scratch"])
    for runs in (1, 2, 3):
        subprocess.run(repro, check=True)
        assert (tmp_path / "runs").read_text().count("made") == runs
        scratch()
    assert len(list((tmp_path / "kept/runs-before-scratch").rglob("*"))) > 2


def board(**scores: float) -> pd.DataFrame:
    columns = ("val_macro_f1", "test_macro_f1", "test_accuracy")
    return pd.DataFrame(
        {
            "rank": range(1, len(scores) + 1),
            "model": list(scores),
            **{name: list(scores.values()) for name in columns},
        }
    )


def test_what_moved_on_the_leaderboard() -> None:
    lines = leaderboard_changes(board(a=0.7, b=0.6, gone=0.5), board(new=0.8, a=0.7, b=0.65)).splitlines()
    assert [[cell.strip() for cell in line.split("|")[1:4]] for line in lines[2:]] == [
        ["new (new)", "1", "0.800"],
        ["a", "1 → 2", "0.700 → 0.700"],
        ["b", "2 → 3", "0.600 → 0.650"],
        ["gone (removed)", "3", "0.500"],
    ]
    assert leaderboard_changes(board(a=0.7), board(a=0.7)) == "No change."
    assert "a (new)" in leaderboard_changes(None, board(a=0.7))
    assert "a (removed)" in leaderboard_changes(board(a=0.7), None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", r"leaderboard\.csv cannot be read"),
        ("rank,model\n1,a\n", r"leaderboard\.csv has no numbers in val_macro_f1"),
        ("rank,val_macro_f1,test_macro_f1,test_accuracy\n1,1,1,1\n", "has no numbers in model"),
        ("model,rank,val_macro_f1,test_macro_f1,test_accuracy\na,x,1,1,1\n", "has no numbers in rank"),
    ],
)
def test_a_leaderboard_of_another_form_is_one_line(
    project: Project, content: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(f"{REPORTS}/leaderboard.csv", content)
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "argv", ["changes", "--base", "HEAD"])
    with pytest.raises(FerflowError, match=said):
        changes()


def test_a_leaderboard_that_is_gone_is_shown(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project.root / REPORTS / "leaderboard.csv"
    board(a=0.7).to_csv(file, index=False)
    project.commit()
    file.unlink()
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "argv", ["changes", "--base", "HEAD"])
    monkeypatch.setattr("ferflow.changes.run_dvc", lambda *_, **__: "")
    changes()
    assert "### Leaderboard of sample/quick\n\n| model" in capsys.readouterr().out
