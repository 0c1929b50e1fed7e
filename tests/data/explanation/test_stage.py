"""The stage as DVC runs it: a process in a folder with params.yaml and the files of earlier stages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferflow.data.explanation.origin import Origin
from ferflow.data.explanation.report import write_explanation
from ferflow.files import read_json, read_table, write_csv, write_json, write_parquet
from ferflow.params import load_params

from . import tables

ROOT = Path(__file__).parents[3]
ARGUMENTS = (
    *("--origin", "origin.json", "--images", "images.npy", "--samples", "samples.parquet"),
    *("--splits", "splits.parquet", "--rejects", "rejects.csv", "--out", "report"),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(
        (ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    write_json(tmp_path / "origin.json", {"source": "https://a:b@example.org/faces.zip", "sha256": "ab" * 32})
    np.save(tmp_path / "images.npy", tables.images())
    write_parquet(tmp_path / "samples.parquet", tables.samples())
    write_parquet(tmp_path / "splits.parquet", tables.splits())
    write_csv(tmp_path / "rejects.csv", tables.rejects())
    return tmp_path


def explain(project: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "stages/explain.py"), *ARGUMENTS]
    return subprocess.run(command, cwd=project, capture_output=True, encoding="utf-8", check=False)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_stage_writes_everything_and_the_same_bytes_as_another_process(project: Path) -> None:
    done = explain(project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "explain: 5 of 11 images are used: report/README.md\n"
    report = project / "report"
    assert "`https://example.org/faces.zip`" in (report / "README.md").read_text(encoding="utf-8")
    assert read_json(report / "facts.json")["copies_declared"]["redundant"] == 5
    assert read_table(report / "counts.csv")["left_out"].sum() == 6
    heights = {
        "counts.png": 796,
        "histograms.png": 776,
        "faces/mean_faces.png": 756,
        "faces/samples.png": 1396,
        "faces/worst.png": 1351,
    }
    for name, height in heights.items():
        with Image.open(report / name) as image:
            assert image.size == (1920, height), name

    (report / "faces" / "of_an_earlier_run.png").touch()
    facts = tables.facts(origin=Origin("sample", "https://example.org/faces.zip", "ab" * 32, "MIT"))
    before = content(report)
    write_explanation(
        report,
        tables.images(),
        tables.samples(),
        tables.splits()["split"],
        facts,
        seed=load_params(ROOT / "params.yaml").seed,
    )
    del before["faces/of_an_earlier_run.png"]
    assert set(before) == {"README.md", "counts.csv", "facts.json", *heights}
    assert content(report) == before


def test_splits_of_other_samples_stop_the_stage_with_one_line(project: Path) -> None:
    write_parquet(project / "splits.parquet", tables.splits().iloc[1:])
    done = explain(project)
    assert done.returncode == 1
    assert done.stderr == (
        "error: the samples, their splits and their images do not match: run `dvc repro`.\n"
    )
    assert not (project / "report").exists()
