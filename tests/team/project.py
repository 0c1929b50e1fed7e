"""A team's repository: this project with a small data set, or with its sample, and a DVC remote."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from team.servers import DVC_BUCKET
from team.workplace import Workplace
from tiny_project import DATASET, ROOT, copy_project, draw_faces, tiny_params


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
    copy_project(place.folder)
    place.run("git", "init", "--quiet", "--initial-branch=main")
    if sample:
        shutil.copy(ROOT / "data" / "sample.zip", place.folder / "data")
    else:
        # It is what the second clone starts from; data/ is ignored but for committed archives.
        place.run("python", "-m", "ferflow.choose", DATASET, "--source", draw_faces(place.folder))
        place.set_params(**tiny_params())
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
