"""A copy of this project with a tiny data set and small models, for tests of the whole pipeline."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from ferflow.data.synthetic.archive import even_counts, write_archive

ROOT: Final = Path(__file__).parent.parent
DATASET: Final = "tiny"
#: The one ensemble of params.yaml: of whatever models there are.
ENSEMBLE: Final = "greedy_vote"

_STORE: Final = """
import json, mlflow
client = mlflow.MlflowClient("sqlite:///mlflow.db")
experiment = client.get_experiment_by_name("ferflow-tiny")
runs = client.search_runs([experiment.experiment_id])
versions = client.search_model_versions("name='ferflow-tiny'")
champion = client.get_model_version_by_alias("ferflow-tiny", "champion")
print(json.dumps({
    "runs": sorted(
        [r.data.tags["model"], r.info.status, r.data.tags["fingerprint"], len(r.data.params),
         sorted(r.data.metrics), len(r.inputs.dataset_inputs),
         sorted(f.path for f in client.list_artifacts(r.info.run_id, "report"))]
        for r in runs
    ),
    "versions": sorted(
        [str(v.version), *(v.tags[key] for key in ("model", "evaluate.shift", "promotion.result"))]
        for v in versions
    ),
    "aliases": client.get_registered_model("ferflow-tiny").aliases,
    "champion": [
        str(champion.version), champion.tags["model"], champion.run_id in {r.info.run_id for r in runs}
    ],
}))
"""


class Project:
    """A copy of this project with a tiny data set and two small models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told: tuple[dict[str, bytes], dict[str, Any]] | None = None
        self.reports = folder / "reports" / DATASET / "quick"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DVC"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def run(self, *command: str, ok: bool = True) -> str:
        result = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            # dvc.yaml sees to it that stages run the copy's code; only the helpers of this test need help.
            env=self.environment | ({} if command[0] == "dvc" else {"PYTHONPATH": str(self.folder / "src")}),
            capture_output=True,
            text=True,
            check=False,
        )
        output = result.stdout + result.stderr
        assert (result.returncode == 0) is ok, output
        return output

    def set_params(self, **changes: Any) -> None:
        """Set keys of params.yaml, given with `__` for the dots."""
        set_params(self.folder, changes)

    def lock(self) -> str:
        return (self.folder / "dvc.lock").read_text(encoding="utf-8")

    def locked(self, stages: str) -> dict[str, Any]:
        """What dvc.lock says of the stages whose names begin so; there are some."""
        content = YAML(typ="safe", pure=True).load(self.lock())["stages"]
        found = {name: content[name] for name in content if name.startswith(stages)}
        assert found
        return found

    def store(self) -> dict[str, Any]:
        """What MLflow holds, by the client of another process: none is opened in this one."""
        if self._told is None or self._told[0] != self.files_of_store():
            answer = json.loads(self.run("tests_store").splitlines()[-1])
            # The same files hold the same: a process that loads MLflow takes seconds.
            self._told = (self.files_of_store(), answer)
        return copy.deepcopy(self._told[1])

    def files_of_store(self) -> dict[str, bytes]:
        """The digests of the files that MLflow keeps runs, versions and artifacts in."""
        artifacts = (file for file in (self.folder / "mlruns").rglob("*") if file.is_file())
        return {
            str(file.relative_to(self.folder)): hashlib.sha256(file.read_bytes()).digest()
            for file in (self.folder / "mlflow.db", *artifacts)
        }


def make_project(folder: Path) -> Project:
    """Copy what git knows of this project, and choose a tiny data set and two models of two epochs."""
    copy_project(folder)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    (folder / "src" / "tests_store.py").write_text(_STORE)
    project = Project(folder)
    project.run("ferflow.choose", DATASET, "--source", draw_faces(folder))
    project.set_params(**tiny_params())
    return project


def copy_project(folder: Path) -> None:
    """Copy what git knows of this project, without data, results and tests."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name in listed.splitlines():
        if not name.startswith(("reports/", "dvc.lock", "data/", "tests/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def draw_faces(folder: Path) -> str:
    """Draw the tiny data set, six faces of each emotion for each split; return its path in the project."""
    source = f"data/{DATASET}.zip"
    write_archive(folder / source, even_counts(6), seed=1)
    return source


def tiny_params() -> dict[str, Any]:
    """Return what params.yaml needs to be changed by for the tiny data set, as `set_params` takes it."""
    small = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))["models"]["cnn2_small"]
    small["quick"]["phases"]["all"]["epochs"] = 2
    # A deep copy: what is shared would become a YAML alias, and a change of one a change of both.
    other = copy.deepcopy(small)
    other["recipe"]["batch_size"] = 16
    return {
        "validate__min_samples_per_label": 6,
        "validate__min_label_signal": 0,  # 126 faces tell too little
        "evaluate__shift": 0,
        "models": {"first": small, "second": other},
    }


def set_params(folder: Path, changes: Mapping[str, Any]) -> None:
    """Set keys of the project's params.yaml, given with `__` for the dots."""
    file = folder / "params.yaml"
    yaml = YAML()
    content = yaml.load(file.read_text(encoding="utf-8"))
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = content
        for parent in parents:
            node = node[parent]
        node[last] = value
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(content, stream)
