"""dvc.lock as a graph: what a stage was made of, what it wrote, and what follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable
from pathlib import PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ferflow.errors import FerflowError
from ferflow.yaml_text import parse_yaml


class Entry(BaseModel):
    """A file or folder, and its digest as the stage read or wrote it."""

    path: str
    md5: str


class Stage(BaseModel):
    """What dvc.lock says of a stage; `params` by file."""

    cmd: Any = ""
    deps: list[Entry] = []
    params: dict[str, dict[str, Any]] = {}
    outs: list[Entry] = []

    @property
    def outputs(self) -> dict[str, str]:
        """The digest of each output, by path."""
        return {out.path: out.md5 for out in self.outs}


Stages = dict[str, Stage]
Form = TypeVar("Form", bound=BaseModel)


class _Lock(BaseModel):
    stages: Stages = {}


class _Described(BaseModel):
    foreach: str | None = None


class _Pipeline(BaseModel):
    stages: dict[str, _Described]


class _Params(BaseModel, extra="allow"):
    """Any mapping."""


def current_stages(lock: bytes, pipeline: bytes, params: bytes, side: str = "") -> tuple[Stages, list[str]]:
    """Return the stages of a lock that the pipeline still has, and the names of those that the lock lacks.

    DVC keeps in dvc.lock what was removed from the pipeline.

    Args:
        lock: The text of dvc.lock.
        pipeline: The text of dvc.yaml.
        params: The text of params.yaml, which names what `foreach` goes over.
        side: What messages add to the names of the files.

    Raises:
        FerflowError: A file is not YAML, or not of the form that DVC reads.
    """
    values = _read(_Params, params, f"params.yaml{side}").model_extra or {}
    names: list[str] = []
    for name, stage in _read(_Pipeline, pipeline, f"dvc.yaml{side}").stages.items():
        over = None if stage.foreach is None else values.get(stage.foreach.strip("${}"))
        keys = over if isinstance(over, dict) else ()
        names += [name] if stage.foreach is None else [f"{name}@{key}" for key in keys]
    locked = _read(_Lock, lock, f"dvc.lock{side}").stages
    current = {name: stage for name, stage in locked.items() if name in names}
    return current, [name for name in names if name not in locked]


def sources(stages: Stages) -> dict[tuple[str, str], Any]:
    """Return what no stage has made, by stage and name: commands, params, digests of code and files."""
    made = [path for stage in stages.values() for path in stage.outputs]
    found: dict[tuple[str, str], Any] = {}
    for name, stage in stages.items():
        found[name, "its command"] = stage.cmd
        for file, values in stage.params.items():
            found |= {(name, f"{file}: {key}"): value for key, value in values.items()}
        for dependency in stage.deps:
            if not any(_overlap(dependency.path, path) for path in made):
                found[name, dependency.path] = dependency.md5
    return found


def outdated(stages: Stages) -> list[tuple[str, str]]:
    """Return what stages were made of that is not what the lock says was made, as stage and path.

    Folders in which several stages write are left out: they may hold files of stages that are gone.
    """
    made = {path: md5 for stage in stages.values() for path, md5 in stage.outputs.items()}
    return [
        (name, dependency.path)
        for name, stage in stages.items()
        for dependency in stage.deps
        if made.get(dependency.path, dependency.md5) != dependency.md5
    ]


def downstream(stages: Stages, origins: Iterable[str]) -> set[str]:
    """Return the names of stages that depend on an output of `origins`, and of these themselves."""
    reached = set(origins)
    while True:
        paths = [path for name in reached for path in stages[name].outputs]
        more = {
            name
            for name, stage in stages.items()
            if any(_overlap(dependency.path, path) for dependency in stage.deps for path in paths)
        }
        if more <= reached:
            return reached
        reached |= more


class Digests:
    """MD5 of files and folders, as DVC writes them.

    Args:
        paths: All files.
        read: Returns the content of one of them.
    """

    def __init__(self, paths: Collection[str], read: Callable[[str], bytes]) -> None:
        self._paths = paths
        self._read = read
        self._of_files: dict[str, str] = {}

    def of(self, path: str) -> str | None:
        """Return the digest of a file, or of a folder of files; None if there is neither."""
        if path in self._paths:
            return self._of_file(path)
        inside = sorted(
            (PurePosixPath(name).relative_to(path).parts, name) for name in self._paths if _within(name, path)
        )
        if not inside:
            return None
        listing = [{"md5": self._of_file(name), "relpath": "/".join(parts)} for parts, name in inside]
        return _md5(json.dumps(listing, sort_keys=True).encode()) + ".dir"

    def _of_file(self, path: str) -> str:
        if path not in self._of_files:
            self._of_files[path] = _md5(self._read(path))
        return self._of_files[path]


def _read(form: type[Form], content: bytes, name: str) -> Form:
    values = parse_yaml(content, name)
    try:
        return form.model_validate({} if values is None else values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise FerflowError(
            f"{name} is not of the form that DVC reads ({where}: {first['msg']}): `git checkout` it, "
            "or run `make repro`."
        ) from None


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _overlap(one: str, other: str) -> bool:
    return one == other or _within(one, other) or _within(other, one)


def _within(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
