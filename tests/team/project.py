"""A team's repository: this project with a small data set, or with its sample, and a DVC remote."""

from __future__ import annotations

import copy
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from ferflow.data.synthetic.archive import even_counts, write_archive
from team.servers import DVC_BUCKET
from team.workplace import Workplace

_ROOT: Final = Path(__file__).parents[2]
_MADE: Final = ("reports/", "dvc.lock", "data/", "tests/")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the pipeline runs on.

    Attributes:
        dataset: Its name in params.yaml.
        registered_model: The name of its champion in the registry.
        model: The model that is changed and trained once more.
        models: How many runs the pipeline gives: models and ensembles.
    """

    dataset: str
    registered_model: str
    model: str
    models: int


def make_project(place: Workplace, *, sample: bool) -> Plan:
    """Make the repository in an empty folder, with its DVC remote and one commit.

    Args:
        place: Where.
        sample: Whether it is the project as it is, with its sample: two small models on a tiny data set else.
    """
    _copy_tracked(place.folder)
    place.run("git", "init", "--quiet", "--initial-branch=main")
    if sample:
        shutil.copy(_ROOT / "data" / "sample.zip", place.folder / "data")
    else:
        write_archive(place.folder / "data" / "tiny.zip", even_counts(6), seed=1)
        # It is what the second clone starts from; data/ is ignored but for committed archives.
        _choose_tiny(place)
    # The bucket's address is for everybody and committed; keys come from the environment.
    place.run("dvc", "remote", "add", "--default", "team", f"s3://{DVC_BUCKET}/cache")
    place.commit("The project, with the team's DVC remote")
    params: dict[str, Any] = YAML(typ="safe").load((place.folder / "params.yaml").read_text(encoding="utf-8"))
    dataset = params["dataset"]
    return Plan(
        dataset,
        params["datasets"][dataset]["registered_model"],
        "cnn2_small" if sample else "first",
        len(params["models"]) + len(params["ensembles"]),
    )


def _copy_tracked(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (folder / "data").mkdir(parents=True)
    for name in listed.splitlines():
        if not name.startswith(_MADE) and (_ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(_ROOT / name, folder / name)


def _choose_tiny(place: Workplace) -> None:
    params = YAML(typ="safe").load((_ROOT / "params.yaml").read_text(encoding="utf-8"))
    small = params["models"]["cnn2_small"]
    small["quick"]["phases"]["all"]["epochs"] = 2
    # A deep copy: what is shared would become a YAML alias, and a change of one a change of both.
    other = copy.deepcopy(small)
    other["recipe"]["batch_size"] = 16
    place.run("python", "-m", "ferflow.choose", "tiny", "--source", "data/tiny.zip")
    place.set_params(
        validate__min_samples_per_label=6,
        validate__min_label_signal=0,  # 126 faces tell too little
        evaluate__shift=0,
        models={"first": small, "second": other},
    )
