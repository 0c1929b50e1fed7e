"""Is dvc.lock of the committed files? It says of which code, params and reports the results are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from ferflow.gate.trees import WorkTree
from ferflow.gate.verdict import Finding
from ferflow.gate.yaml_files import read_yaml

#: What git holds of a stage's dependencies; data and models are in DVC's cache.
_CODE: Final = ("src/", "stages/", "params.yaml")
_REMEDY: Final = "run `make repro` and commit dvc.lock and reports"
_SHOWN: Final = 3


def check_lock(tree: WorkTree) -> list[Finding]:
    """Return what is in dvc.lock and not in the committed files: code, params, reports.

    Stages of models that were removed are left in dvc.lock by DVC; they are not looked at.

    Raises:
        FerflowError: A file is not YAML.
    """
    if "dvc.lock" not in tree.paths:
        return [Finding("lock", "dvc.lock", f"dvc.lock is missing: {_REMEDY}.")]
    params = read_yaml(tree, "params.yaml")
    stages = _live_stages(read_yaml(tree, "dvc.lock"), params)
    digests = _Digests(tree)
    outs = [(name, out) for name, stage in stages.items() for out in stage.get("outs", ())]
    gone = {
        out["path"] for _, out in outs if out["path"].startswith("reports/") and not digests.has(out["path"])
    }
    gone -= tree.ignored(gone)
    return [
        *_finding(
            "dvc.lock is stale: it was made with another content of",
            _stale_code(stages, digests),
            f"{_REMEDY}.",
        ),
        *_finding(
            "dvc.lock is stale: it was made with another value of",
            _stale_params(stages, params),
            f"{_REMEDY}.",
        ),
        *_finding(
            "committed results are not those that dvc.lock names (edited, or committed without it):",
            [(name, out["path"]) for name, out in outs if not digests.agrees(out)],
            f"{_REMEDY}, or `git checkout` the files.",
        ),
        *_finding(
            "dvc.lock names results that are not committed:",
            [(name, out["path"]) for name, out in outs if out["path"] in gone],
            f"{_REMEDY}.",
        ),
    ]


class _Digests:
    """MD5 of committed files and folders, as DVC writes them."""

    def __init__(self, tree: WorkTree) -> None:
        self._tree = tree
        self._of_files: dict[str, str] = {}

    def has(self, path: str) -> bool:
        """Return whether a file, or a file of this folder, is committed."""
        return path in self._tree.paths or any(True for _ in self._inside(path))

    def agrees(self, entry: dict[str, Any]) -> bool:
        """Return whether a file or folder is as an entry of dvc.lock says; what is not committed is."""
        path, expected = entry["path"], entry.get("md5")
        if path in self._tree.paths:
            return self._md5(path) == expected
        files = sorted(self._inside(path))
        return not files or self._of_folder(path, files) == expected

    def _inside(self, folder: str) -> Iterator[str]:
        return (path for path in self._tree.paths if path.startswith(f"{folder}/"))

    def _md5(self, path: str) -> str:
        if path not in self._of_files:
            self._of_files[path] = hashlib.md5(self._tree.read(path), usedforsecurity=False).hexdigest()
        return self._of_files[path]

    def _of_folder(self, folder: str, files: list[str]) -> str:
        entries = [{"md5": self._md5(path), "relpath": path.removeprefix(f"{folder}/")} for path in files]
        # The order of DVC: by the parts of the path.
        entries.sort(key=lambda entry: tuple(entry["relpath"].split("/")))
        listed = json.dumps(entries, sort_keys=True).encode()
        return f"{hashlib.md5(listed, usedforsecurity=False).hexdigest()}.dir"


def _stale_code(stages: dict[str, Any], digests: _Digests) -> list[tuple[str, str]]:
    return [
        (name, entry["path"])
        for name, stage in stages.items()
        for entry in stage.get("deps", ())
        if entry["path"].startswith(_CODE) and not (digests.has(entry["path"]) and digests.agrees(entry))
    ]


def _stale_params(stages: dict[str, Any], params: Any) -> list[tuple[str, str]]:
    missing = object()
    stale = []
    for name, stage in stages.items():
        for key, value in stage.get("params", {}).get("params.yaml", {}).items():
            node = params
            for part in key.split("."):
                node = node.get(part, missing) if isinstance(node, dict) else missing
            if node != value:
                stale.append((name, key))
    return stale


def _live_stages(lock: Any, params: Any) -> dict[str, Any]:
    names = {*(params.get("models") or ()), *(params.get("ensembles") or ())}
    stages = (lock or {}).get("stages", {})
    return {
        name: stage for name, stage in stages.items() if "@" not in name or name.split("@", 1)[1] in names
    }


def _finding(problem: str, found: list[tuple[str, str]], remedy: str) -> list[Finding]:
    if not found:
        return []
    by_path: dict[str, list[str]] = {}
    for stage, path in found:
        by_path.setdefault(path, []).append(stage)
    shown = [
        f"{path} ({stages[0]}{f' and {len(stages) - 1} more' if len(stages) > 1 else ''})"
        for path, stages in list(by_path.items())[:_SHOWN]
    ]
    if len(by_path) > _SHOWN:
        shown.append(f"{len(by_path) - _SHOWN} more")
    return [Finding("lock", "dvc.lock", f"{problem} {', '.join(shown)}: {remedy}")]
