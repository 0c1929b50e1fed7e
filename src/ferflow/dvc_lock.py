"""dvc.lock as a graph: what a stage was made of, what it wrote, and what follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML

Stage = dict[str, Any]
Stages = dict[str, Stage]


def current_stages(lock: str | bytes, pipeline: str | bytes, params: str | bytes) -> tuple[Stages, set[str]]:
    """Return the stages of a lock that the pipeline still has, and the names of those that the lock lacks.

    DVC keeps in dvc.lock what was removed from the pipeline.

    Args:
        lock: The text of dvc.lock.
        pipeline: The text of dvc.yaml.
        params: The text of params.yaml, which names what `foreach` goes over.
    """
    reader = YAML(typ="safe")
    values = reader.load(params)
    names: set[str] = set()
    for name, stage in reader.load(pipeline)["stages"].items():
        over = stage.get("foreach")
        names |= {name} if over is None else {f"{name}@{key}" for key in values.get(over.strip("${}")) or {}}
    locked = reader.load(lock)["stages"]
    return {name: stage for name, stage in locked.items() if name in names}, names - set(locked)


def outputs(stage: Stage) -> dict[str, str]:
    """Return the digest of each output of a stage, by path."""
    return {out["path"]: out["md5"] for out in stage.get("outs", [])}


def sources(stages: Stages) -> dict[tuple[str, str], Any]:
    """Return what no stage has made, by stage and name: commands, params, digests of code and files."""
    made = [path for stage in stages.values() for path in outputs(stage)]
    found: dict[tuple[str, str], Any] = {}
    for name, stage in stages.items():
        found[name, "its command"] = stage["cmd"]
        for file, values in stage.get("params", {}).items():
            found |= {(name, f"{file}: {key}"): value for key, value in values.items()}
        for dependency in stage.get("deps", []):
            if not any(_overlap(dependency["path"], path) for path in made):
                found[name, dependency["path"]] = dependency["md5"]
    return found


def downstream(stages: Stages, origins: Iterable[str]) -> set[str]:
    """Return the names of stages that depend on an output of `origins`, and of these themselves."""
    reached = set(origins)
    while True:
        paths = [path for name in reached for path in outputs(stages[name])]
        more = {
            name
            for name, stage in stages.items()
            if any(
                _overlap(dependency["path"], path) for dependency in stage.get("deps", []) for path in paths
            )
        }
        if more <= reached:
            return reached
        reached |= more


def digest(path: str, files: Mapping[str, bytes]) -> str | None:
    """Return the digest that DVC gives a file, or a folder of files; None if there is neither.

    Args:
        path: The file or the folder.
        files: Contents by path.
    """
    if path in files:
        return _md5(files[path])
    inside = sorted(
        (PurePosixPath(name).relative_to(path).parts, name) for name in files if _within(name, path)
    )
    if not inside:
        return None
    listing = [{"md5": _md5(files[name]), "relpath": "/".join(parts)} for parts, name in inside]
    return _md5(json.dumps(listing, sort_keys=True).encode()) + ".dir"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _overlap(one: str, other: str) -> bool:
    return one == other or _within(one, other) or _within(other, one)


def _within(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
