"""Whatever happens to files, store and processes: one finished run for each training, and the right champion.

Minutes: run by name, `make test-convergence`.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from tiny_project import DATASET, ENSEMBLE, Project, make_project

pytestmark = pytest.mark.slow

#: What every run holds, whatever it was made by.
METRICS = {"val/macro_f1", "val/macro_f1_low", "test/accuracy", "test/macro_f1_high", "cost/parameters"}
ARTIFACTS = {"report/metrics.json", "report/confusion.png", "report/predictions.parquet", "report/faces"}


def _converged(project: Project, *, runs: int, extra: int = 0) -> dict[str, Any]:
    """Assert that the store agrees with the files, and return what it holds.

    Args:
        project: Its last `dvc repro` has ended.
        runs: How many trainings and ensembles there are in the store.
        extra: How many of them the work tree no longer holds, as it has changed since.
    """
    store = project.store()
    fingerprints = Counter(run[2] for run in store["runs"])
    assert set(fingerprints.values()) == {1}, "a training has more than one run"
    assert len(store["runs"]) == runs
    in_files = {
        json.loads((folder / "training.json").read_text())["fingerprint"]
        for kind in ("models", "ensembles")
        for folder in (project.reports / kind).iterdir()
        if folder.is_dir()
    }
    assert in_files <= set(fingerprints)
    assert len(set(fingerprints) - in_files) == extra
    for name, status, _, params, metrics, inputs, artifacts in store["runs"]:
        assert status == "FINISHED"
        assert params > 5
        assert set(metrics) >= METRICS
        assert ("epoch/val_loss" in metrics) is (name != ENSEMBLE)
        assert inputs == 3
        assert set(artifacts) >= ARTIFACTS
    assert store["champion"][1:] == [_best_so_far(project)["model"], True]
    return store


def _best_so_far(project: Project) -> dict[str, Any]:
    """The champion by the rule in params.yaml: the best on validation of all leaderboards so far."""
    candidate: dict[str, Any] = json.loads((project.reports / "champion.json").read_text())
    kept = project.folder / ".git" / "best-so-far.json"
    best: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else candidate
    if candidate["val_macro_f1"] > best["val_macro_f1"]:
        best = candidate
    kept.write_text(json.dumps(best))
    return best


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = make_project(tmp_path_factory.mktemp("project"))
    project.run("dvc", "repro")
    _converged(project, runs=3)
    _git(project.folder, "add", "--all")
    _git(project.folder, "commit", "--quiet", "--message=first results")
    yield project


def test_second_repro(finished: Project) -> None:
    before = finished.store()
    finished.run("dvc", "repro")
    assert _converged(finished, runs=3) == before


def test_everything_forced(finished: Project) -> None:
    before, lock = finished.store(), finished.lock()
    finished.run("dvc", "repro", "--force")
    assert finished.lock() == lock
    assert _converged(finished, runs=3) == before


def test_deleted_outputs_are_restored_from_the_run_cache(finished: Project) -> None:
    before, lock = finished.store(), finished.lock()
    for folder in ("models", f"data/{DATASET}", f"reports/{DATASET}"):
        shutil.rmtree(finished.folder / folder)
    (finished.folder / "dvc.lock").unlink()
    output = finished.run("dvc", "repro")
    assert "Stage 'train@first' is cached" in output
    assert "Running stage 'train" not in output
    # What was measured of a model is no output of a stage that caches: dvc.lock has new times of it.
    assert _without_times(finished.lock()) == _without_times(lock)
    assert _converged(finished, runs=3) == before


def test_deleted_store(finished: Project) -> None:
    before = finished.store()
    (finished.folder / "mlflow.db").unlink()
    finished.run("ferflow.summary", "reports")
    assert _known_by_files(_converged(finished, runs=3)) == _known_by_files(before)


def test_fresh_clone_and_pull(finished: Project, tmp_path: Path) -> None:
    before = finished.store()
    remote, clone = tmp_path / "remote", tmp_path / "clone"
    finished.run("dvc", "remote", "add", "--local", "--default", "--force", "shared", str(remote))
    finished.run("dvc", "push")
    _git(finished.folder, "add", "--all")
    _git(finished.folder, "commit", "--quiet", "--allow-empty", "--message=pushed")
    _git(tmp_path, "clone", "--quiet", str(finished.folder), str(clone))
    other = Project(clone)
    other.run("dvc", "remote", "add", "--local", "--default", "shared", str(remote))
    other.run("dvc", "pull")
    output = other.run("dvc", "repro")
    assert "Running stage 'train" not in output
    other.run("ferflow.summary", "reports")
    assert _known_by_files(_converged(other, runs=3)) == _known_by_files(before)
    assert _git(clone, "status", "--porcelain") == ""


def test_training_that_is_killed_goes_on_in_one_run(finished: Project) -> None:
    finished.set_params(
        models__first__recipe__options__dropout=0.35,
        models__first__quick__phases__all__epochs=12,
    )
    _kill_in_training(finished, "first")
    states = {run[0]: run[1] for run in finished.store()["runs"] if run[1] != "FINISHED"}
    # It could not say that it ended.
    assert states == {"first": "RUNNING"}
    finished.run("dvc", "repro")
    history = pd.read_csv(finished.folder / "models" / DATASET / "quick" / "first" / "history.csv")
    assert history["epoch"].is_monotonic_increasing and len(history) > 2
    # The first one's former training and the ensemble with it are still there.
    _converged(finished, runs=5, extra=2)


def test_two_experiments_and_both_again(finished: Project) -> None:
    _git(finished.folder, "add", "--all")
    _git(finished.folder, "commit", "--quiet", "--allow-empty", "--message=before the experiments")
    before = [run[0] for run in finished.store()["runs"]]
    for dropout in ("0.25", "0.3", "0.25"):
        finished.run("dvc", "exp", "run", "--set-param", f"models.second.recipe.options.dropout={dropout}")
    # The third is the first again. An ensemble is another one only if its members or their weights are.
    runs = finished.store()["runs"]
    added = Counter(run[0] for run in runs) - Counter(before)
    assert added["second"] == 2
    assert set(added) <= {"second", ENSEMBLE}
    assert {run[1] for run in runs} == {"FINISHED"}
    assert set(Counter(run[2] for run in runs).values()) == {1}


def test_killed_and_given_up_training_ends_as_killed(finished: Project) -> None:
    before = [run[1] for run in finished.store()["runs"]]
    finished.set_params(models__second__recipe__options__dropout=0.45)
    _kill_in_training(finished, "second")
    # Back to the recipe before: nobody trains that one again.
    _git(finished.folder, "restore", "params.yaml")
    finished.run("dvc", "repro")
    finished.run("dvc", "repro", "--single-item", "--force", "register")
    after = Counter(run[1] for run in finished.store()["runs"])
    assert after == Counter(before) + Counter({"KILLED": 1})


def _git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    return subprocess.run(
        ["git", *author, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def _without_times(lock: str) -> list[str]:
    """dvc.lock without the lines that are of costs.json, and of what is made from it."""
    return [line for line in lock.splitlines() if "md5" not in line and "size" not in line]


def _known_by_files(store: dict[str, Any]) -> dict[str, Any]:
    """What a store holds, but for what is known only while a training runs."""
    return store | {
        "runs": [
            [*run[:4], [name for name in run[4] if not name.startswith("system/")], *run[5:]]
            for run in store["runs"]
        ]
    }


def _kill_in_training(project: Project, model: str) -> None:
    """Begin `dvc repro`, and kill the training of a model once an epoch of it is finished."""
    process = subprocess.Popen(
        ["dvc", "repro"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = project.folder / ".ferflow" / "checkpoints" / DATASET / "quick" / model
    deadline = time.monotonic() + 240
    while not any(checkpoints.rglob("*")):
        assert process.poll() is None, "dvc ended early"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    training = _training(process.pid)
    assert training is not None, "the training ended before it could be killed"
    training.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) != 0


def _training(pid: int) -> psutil.Process | None:
    """The process of stages/train.py below the process of that id."""
    for child in psutil.Process(pid).children(recursive=True):
        if any(part.endswith("stages/train.py") for part in child.cmdline()) and child.name() != "sh":
            return child
    return None
