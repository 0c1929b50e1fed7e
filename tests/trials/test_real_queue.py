"""Two trials on DVC's real queue, in a copy of the project with a tiny data set."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
from ruamel.yaml import YAML

from ferflow.data.synthetic.archive import even_counts, write_archive

from .conftest import ROOT


class Project:
    """A committed copy of this project that knows one model and a tiny data set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in listed.splitlines():
            if not name.startswith(("reports/", "dvc.lock", "data/", "tests/")) and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        write_archive(folder / "data" / "tiny.zip", even_counts(6), seed=1)
        self.run("ferflow.choose", "tiny", "--source", "data/tiny.zip")
        self._make_small()
        for arguments in (
            ("init", "--quiet"),
            ("config", "user.name", "A"),
            ("config", "user.email", "a@b.example"),
            ("add", "--all"),
            ("commit", "--quiet", "--message", "as it is"),
        ):
            self.git(*arguments)

    def _make_small(self) -> None:
        file = self.folder / "params.yaml"
        yaml = YAML()
        content = yaml.load(file.read_text(encoding="utf-8"))
        content["validate"] |= {"min_samples_per_label": 6, "min_label_signal": 0}
        content["models"] = {"cnn2_small": content["models"]["cnn2_small"]}
        content["models"]["cnn2_small"]["quick"]["phases"]["all"]["epochs"] = 2
        with file.open("w", encoding="utf-8") as stream:
            yaml.dump(content, stream)

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    def run(self, *command: str, status: int = 0) -> str:
        result = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "DVC"))},
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(self.folder / "src"),
                "DVC_NO_ANALYTICS": "true",
                "DO_NOT_TRACK": "true",
                "MLFLOW_DISABLE_TELEMETRY": "true",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        output = result.stdout + result.stderr
        assert result.returncode == status, output
        return output

    def experiments(self) -> list[str]:
        return self.run("dvc", "exp", "list", "--name-only").split()

    def runs(self) -> dict[str, Any]:
        """The finished runs in this project's own store, by name."""
        client = mlflow.MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("ferflow-tiny")
        assert experiment is not None
        found = client.search_runs([experiment.experiment_id])
        assert {run.info.status for run in found} == {"FINISHED"}
        assert not client.search_registered_models()
        return {str(run.info.run_name): run.data for run in found}


@pytest.mark.slow
def test_trials_run_on_the_queue_and_are_compared_in_dvc_and_mlflow(tmp_path: Path) -> None:
    project = Project(tmp_path)
    params = (tmp_path / "params.yaml").read_text(encoding="utf-8")
    command = ("ferflow.trials", "cnn2_small", "batch_size=16,32")
    output = project.run(*command)

    # One experiment and one run for each trial, of the same name, with the values and the results.
    runs = project.runs()
    assert sorted(project.experiments()) == sorted(runs)
    assert sorted(data.params["batch_size"] for data in runs.values()) == ["16", "32"]
    assert all({"epoch/val_loss", "val/macro_f1"} <= data.metrics.keys() for data in runs.values())
    for name, data in runs.items():
        assert f"{data.metrics['val/macro_f1']:.3f}" in _row(output, name)

    # The work tree is as it was, but for what the data stages wrote.
    assert (tmp_path / "params.yaml").read_text(encoding="utf-8") == params
    assert not (tmp_path / "models").exists()

    # Nothing is done twice, also not after MLflow has lost it.
    (tmp_path / "mlflow.db").unlink()
    again = project.run(*command)
    assert "of which 2 are known already" in again
    assert "Running stage" not in again
    assert project.runs().keys() == runs.keys()
    assert sorted(project.experiments()) == sorted(runs)

    # A trial that fails is one line, and leaves the others.
    output = project.run("ferflow.trials", "cnn2_small", "phases.all.trainable=all,head", status=1)
    (failure,) = [line for line in output.splitlines() if line.startswith("error: 1 of 2 trials failed")]
    name = failure.partition("(")[2].partition(")")[0]
    assert name not in project.experiments()
    assert "no base to freeze" in project.run("dvc", "queue", "logs", name)

    # What the last lines say to type takes the best over; it was trained already.
    best = next(line for line in again.splitlines() if line.startswith("take over"))
    project.run(*best.removeprefix("take over  python -m ").partition(" && ")[0].split())
    taken = project.run("dvc", "repro", "evaluate@cnn2_small")
    assert "Stage 'train@cnn2_small' is cached - skipping run" in taken


def _row(output: str, name: str) -> str:
    return next(line for line in output.splitlines() if line.startswith(name))
