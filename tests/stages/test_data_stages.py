from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ferflow.labels import EMOTIONS

ROOT = Path(__file__).parents[2]
PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")
PER_LABEL = 10


class Project:
    """A folder with params.yaml and an archive, in which stages run as processes, as DVC runs them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        random = np.random.default_rng(0)
        with zipfile.ZipFile(root / "faces.zip", "w") as archive:
            for label in EMOTIONS:
                for number in range(PER_LABEL):
                    Image.fromarray(random.integers(0, 256, (40, 40), dtype=np.uint8)).save(root / "face.png")
                    archive.write(root / "face.png", f"{label}/{number}.png")
            archive.writestr("happy/broken.png", b"not an image")
        self.set_params()

    def set_params(self, **changes: str) -> None:
        """Write the project's own params.yaml with another source, and with words replaced."""
        sha256 = hashlib.sha256((self.root / "faces.zip").read_bytes()).hexdigest()
        committed = PARAMS.split("sha256: ")[1].split("\n")[0]
        text = PARAMS.replace("data/sample.zip", "faces.zip").replace(committed, sha256, 1)
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new, 1)
        (self.root / "params.yaml").write_text(text, encoding="utf-8")

    def run(self, stage: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "stages" / f"{stage}.py", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def fails(self, stage: str, *arguments: str) -> str:
        """Run a stage that must fail and touch nothing; return the one line that it prints."""
        before = self.content()
        done = self.run(stage, *arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert self.content() == before
        return done.stderr

    def content(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


DOWNLOAD = ("download", "--out", "raw", "--origin", "origin.json")
INGEST = (
    "ingest",
    *("--raw", "raw", "--images", "images.npy", "--samples", "samples.parquet", "--rejects", "rejects.csv"),
)
SPLIT = ("split", "--samples", "samples.parquet", "--splits", "splits.parquet")
VALIDATE = (
    "validate",
    *("--images", "images.npy", "--samples", "samples.parquet", "--splits", "splits.parquet"),
    *("--rejects", "rejects.csv", "--out", "reports/validation", "--passed", "validated.json"),
)
#: Limits that the few images of these tests keep to.
WIDE = {
    "max_reject_fraction: 0.01": "max_reject_fraction: 0.1",
    "min_samples: 100": "min_samples: 70",
    "min_samples_per_label: 5": "min_samples_per_label: 1",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[str]]:
    """A project after its four stages, and what each of them printed."""
    project = Project(tmp_path_factory.mktemp("finished") / "project")
    printed = []
    for stage, *arguments in (("check", "--out", "checked"), DOWNLOAD, INGEST, SPLIT):
        done = project.run(stage, *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        printed.append(done.stdout)
    return project, printed


def test_good_data_go_all_the_way_with_a_broken_image_as_a_reject(
    finished: tuple[Project, list[str]],
) -> None:
    project, printed = finished
    samples = pd.read_parquet(project.root / "samples.parquet")
    splits = pd.read_parquet(project.root / "splits.parquet")
    rejects = pd.read_csv(project.root / "rejects.csv")
    total = PER_LABEL * len(EMOTIONS)
    assert np.load(project.root / "images.npy").shape == (total, 48, 48, 1)
    assert samples["label"].value_counts().to_dict() == dict.fromkeys(EMOTIONS, PER_LABEL)
    assert splits["split"].value_counts().to_dict() == {"train": 8 * 7, "val": 7, "test": 7}
    assert rejects[["source", "reason"]].to_numpy().tolist() == [["happy/broken.png", "not an image"]]
    assert (project.root / "checked").is_file()
    assert printed[0] == ""
    assert printed[1].startswith("download: sha256 ")
    assert printed[1].endswith(" as expected\n")
    assert printed[2:] == [
        "ingest: class_folders: 70 images, 1 unusable, 0 left out\n",
        "split: 56 train, 7 val, 7 test\n",
    ]


def test_a_new_archive_that_is_no_good_leaves_the_last_good_outputs(
    finished: tuple[Project, list[str]],
) -> None:
    project, _ = finished
    good = project.content()
    archive = project.root / "faces.zip"
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    assert "faces.zip has sha256 " in project.fails(*DOWNLOAD)
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("../x", b"escaped")
    project.set_params()
    assert "member '../x' would be written outside" in project.fails(*DOWNLOAD)
    archive.unlink()
    assert "faces.zip does not exist" in project.fails(*DOWNLOAD)
    archive.write_bytes(whole)
    project.set_params()
    assert project.content() == good


def test_raw_files_that_are_no_images_leave_the_last_good_arrays_and_tables(project: Project) -> None:
    (project.root / "raw" / "happy").mkdir(parents=True)
    (project.root / "raw" / "happy" / "1.png").write_text("text")
    for name in ("images.npy", "samples.parquet", "rejects.csv"):
        (project.root / name).write_text("good")
    error = project.fails(*INGEST)
    assert "none of 1 files or rows could be used as a labelled image" in error
    assert "happy/1.png): not an image; convert it to JPEG or PNG, or remove it." in error


def test_a_raw_folder_of_no_known_layout_leaves_the_last_good_arrays_and_tables(project: Project) -> None:
    (project.root / "raw" / "holidays").mkdir(parents=True)
    Image.new("L", (48, 48)).save(project.root / "raw" / "holidays" / "1.png")
    for name in ("images.npy", "samples.parquet", "rejects.csv"):
        (project.root / name).write_text("good")
    assert "none of the layouts" in project.fails(*INGEST)


def test_the_layout_in_params_says_what_the_classes_are_called_and_which_are_left_out(
    project: Project,
) -> None:
    for folder in ("Freude", "contempt"):
        (project.root / "raw" / folder).mkdir(parents=True)
        Image.new("L", (48, 48), 90).save(project.root / "raw" / folder / "1.png")
    project.set_params(**{"{format: auto}": "{format: auto, aliases: {freude: happy}, drop: [contempt]}"})
    done = project.run(*INGEST)
    assert done.stdout == "ingest: class_folders: 1 images, 0 unusable, 1 left out\n", done.stderr
    assert pd.read_parquet(project.root / "samples.parquet")["label"].tolist() == ["happy"]
    rejects = pd.read_csv(project.root / "rejects.csv")
    assert rejects[["source", "defect"]].to_numpy().tolist() == [["contempt/1.png", False]]


def test_a_missing_table_of_samples_is_one_line(project: Project) -> None:
    assert "samples.parquet is missing: run `dvc repro`" in project.fails(*SPLIT)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("batch_size: 128", "batch_sise: 128", "batch_sise: unknown key; did you mean 'batch_size'?"),
        ("architecture: cnn4", "architecture: cnn5", "there is no architecture 'cnn5'"),
        ("{dropout: 0.25}", "{dropuot: 0.25}", "architecture 'cnn4' has no option 'dropuot'"),
        ("{dropout: 0.25}", "{dropout: half}", "models.cnn4 (quick budget): options.dropout: "),
    ],
)
def test_a_mistake_in_params_stops_at_the_check(project: Project, old: str, new: str, problem: str) -> None:
    (project.root / "checked").write_text("params.yaml is valid\n")
    project.set_params(**{old: new})
    assert problem in project.fails("check", "--out", "checked")


def test_an_archive_without_a_pinned_checksum_has_it_printed(project: Project) -> None:
    sha256 = hashlib.sha256((project.root / "faces.zip").read_bytes()).hexdigest()
    project.set_params(**{f"sha256: {sha256}": "sha256: null"})
    done = project.run(*DOWNLOAD)
    assert done.returncode == 0
    assert done.stdout == f"download: sha256 {sha256} (not pinned: put it in datasets.sample.sha256)\n"


@pytest.fixture
def split_project(finished: tuple[Project, list[str]], project: Project) -> Project:
    for name in ("images.npy", "samples.parquet", "splits.parquet", "rejects.csv"):
        shutil.copy(finished[0].root / name, project.root)
    return project


def test_the_gate_lets_good_data_through_and_says_which(split_project: Project) -> None:
    split_project.set_params(**WIDE)
    done = split_project.run(*VALIDATE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("validate: ")
    content = split_project.content()
    report = json.loads(content[str(split_project.root / "reports/validation/report.json")])
    assert report["success"] is True
    # Nothing of the limits: training does not start anew because one of them has changed.
    assert json.loads(content[str(split_project.root / "validated.json")]) == {
        "samples": hashlib.sha256(content[str(split_project.root / "samples.parquet")]).hexdigest(),
        "splits": hashlib.sha256(content[str(split_project.root / "splits.parquet")]).hexdigest(),
        "images": [PER_LABEL * len(EMOTIONS), 48, 48, 1],
    }


def test_the_gate_stops_bad_data_with_a_report_and_without_a_pass(split_project: Project) -> None:
    (split_project.root / "validated.json").write_text("that of data that passed before")
    done = split_project.run(*VALIDATE)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["failed"] * 3 + ["error"]
    assert "1 of 71 fail (1.41 %), e.g. happy/broken.png (not an image)" in lines[0]
    assert "14 of 21 fail" in lines[2]
    assert "reports/validation/index.html" in lines[3]
    assert not (split_project.root / "validated.json").exists()
    folder = split_project.root / "reports/validation"
    assert {path.name for path in folder.iterdir()} == {"expectations.csv", "index.html", "report.json"}
    report = json.loads((folder / "report.json").read_text())
    assert report["success"] is False
    (failed,) = [item for item in report["results"] if item["limit"] == "max_reject_fraction"]
    assert failed["finding"]["offenders"] == [{"source": "happy/broken.png", "found": "not an image"}]


def test_the_gate_takes_the_pass_away_before_it_reads_anything(project: Project) -> None:
    (project.root / "validated.json").write_text("that of data that passed before")
    done = project.run(*VALIDATE)
    assert "images.npy is missing" in done.stderr
    assert not (project.root / "validated.json").exists()
