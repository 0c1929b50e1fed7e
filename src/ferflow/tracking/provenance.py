"""Where a run comes from: commit, changes, stage, experiment, and how to make it again."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_BRANCH,
    MLFLOW_GIT_COMMIT,
    MLFLOW_GIT_REPO_URL,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ferflow.errors import without_credentials
from ferflow.files import sha256_of_json
from ferflow.git_command import git, git_text

#: What decides results, and not the files that the pipeline itself writes.
_SOURCES: Final = ("src", "stages", "dvc.yaml", "params.yaml")
#: Under which name `uncommitted_changes` is kept with a run.
PATCH: Final = "reproduce/changes.patch"
#: Tag that says why it is not.
NO_PATCH: Final = "git_patch_left_out"

_LARGEST_PATCH: Final = 1_000_000
#: An address with a user in it, or what looks like a secret with its value: rather one patch too few.
_CREDENTIALS: Final = re.compile(
    rb"(?i)://[^\s/@]+@|[\w-]*(?:password|passwd|secret|token|credential|access_?key|api_?key|signature)"
    rb"[\w-]*[\"']?\s*[:=]\s*[\"']?[\w/+.-]{3,}"
)


def provenance_tags(stage: str) -> dict[str, str]:
    """Return the tags that say which commit, DVC stage and DVC experiment a run belongs to.

    `git_dirty` is about what decides results: code, stages and params. Outside of a git checkout the git
    tags are left out. Those of MLflow's own names are what its UI shows as user, source and version.
    """
    tags = {"dvc_stage": stage, MLFLOW_SOURCE_NAME: f"dvc repro {stage}", MLFLOW_SOURCE_TYPE: "LOCAL"}
    if user := _user():
        tags[MLFLOW_USER] = user
    commit = git_text("rev-parse", "HEAD").strip()
    if commit:
        changed = git_text("status", "--porcelain", "--", *_SOURCES)
        tags |= {
            "git_commit": commit,
            "git_dirty": str(bool(changed)).lower(),
            MLFLOW_GIT_COMMIT: commit,
            MLFLOW_GIT_BRANCH: git_text("rev-parse", "--abbrev-ref", "HEAD").strip(),
            MLFLOW_GIT_REPO_URL: without_credentials(git_text("remote", "get-url", "origin").strip()),
        }
    if name := os.environ.get("DVC_EXP_NAME"):
        tags["dvc_experiment"] = name
    return {name: value for name, value in tags.items() if value}


def uncommitted_changes() -> bytes:
    """Return what turns HEAD into the work tree, of all that decides results: a patch for `git apply`.

    New files are in it. It is empty where nothing is changed, and outside of a git checkout.
    """
    index = Path(git_text("rev-parse", "--git-path", "index").strip())
    objects = Path(git_text("rev-parse", "--git-path", "objects").strip())
    if not index.name:
        return b""
    # With an index and a store of objects of our own: the user's are not touched.
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "index"
        if index.is_file():
            shutil.copy(index, own)
        environment = {
            "GIT_INDEX_FILE": str(own),
            "GIT_OBJECT_DIRECTORY": folder,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects.resolve()),
        }
        present = [name for name in _SOURCES if Path(name).exists()]
        git("add", "--all", "--", *present, environment=environment)
        options = ("--cached", "--binary", "--no-color", "--no-ext-diff", "HEAD")
        return git("diff", *options, "--", *_SOURCES, environment=environment).stdout


def why_not_kept(patch: bytes) -> str:
    """Return why a patch is not kept with a run; nothing if it is.

    Args:
        patch: From `uncommitted_changes`, of a work tree that has some.
    """
    if not patch:
        return "git does not tell them"
    if len(patch) > _LARGEST_PATCH:
        return f"they are longer than {_LARGEST_PATCH:,} bytes"
    if _CREDENTIALS.search(patch):
        return "they may hold a password, key or token"
    return ""


def lock_sha256(stage: str, lock: Path = Path("dvc.lock")) -> str | None:
    """Return the SHA-256 of what dvc.lock holds of a stage: its command, inputs, params and outputs.

    Args:
        stage: Its name, e.g. `train@cnn4`.
        lock: The lock file.

    Returns:
        None if the stage is not in it.
    """
    try:
        stages = YAML(typ="safe").load(lock.read_text(encoding="utf-8"))["stages"]
    except (OSError, YAMLError, TypeError, KeyError):
        return None
    return sha256_of_json(stages[stage]) if stage in stages else None


def how_to_reproduce(tags: Mapping[str, str], evaluation: str, views: Mapping[str, str]) -> str:
    """Return the commands that make a run again, as Markdown.

    Args:
        tags: Of the run.
        evaluation: The DVC stage that evaluates it; DVC runs those before it as far as they are needed.
        views: `evaluate.*` of params.yaml, as the run was evaluated.
    """
    if "git_commit" not in tags:
        return "It was not made in a git checkout: there is no commit to go back to."
    changes = []
    if tags.get("git_dirty") == "true":
        left_out = tags.get(NO_PATCH)
        changes = [
            f"# and the changes that are not kept here: {left_out}"
            if left_out
            else f"git apply changes.patch   # {PATCH} among the run's artifacts"
        ]
    commands = [
        f"git checkout {tags['git_commit']}",
        *changes,
        f"python -m ferflow.switch {' '.join(f'{key}={value}' for key, value in views.items())}",
        f"dvc repro {evaluation}",
    ]
    return "\n".join(["```", *commands, "```"])


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # in a container, a user may have no name
        return ""
