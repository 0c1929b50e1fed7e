"""Is dvc.lock of the committed files? It says of which code, params and reports the results are."""

from __future__ import annotations

from typing import Any, Final

from ferflow.dvc_lock import Digests, Entry, Stages, current_stages, outdated
from ferflow.errors import FerflowError
from ferflow.gate.trees import WorkTree
from ferflow.gate.verdict import Finding
from ferflow.yaml_text import parse_yaml

#: What git holds of a stage's dependencies; data and models are in DVC's cache.
_CODE: Final = ("src/", "stages/", "params.yaml")
_REMEDY: Final = "run `make repro` and commit dvc.lock and reports"
_SHOWN: Final = 3


def read_stages(tree: WorkTree) -> tuple[Stages, list[str]]:
    """Return the current stages of dvc.lock, and those that it lacks: all, where it is missing.

    Raises:
        FerflowError: There is no pipeline, or a file is not of the form that DVC reads.
    """
    for path in ("dvc.yaml", "params.yaml"):
        if path not in tree.paths:
            raise FerflowError(f"{path} is missing: run from the root of the project, and commit it.")
    lock = tree.read("dvc.lock") if "dvc.lock" in tree.paths else b""
    return current_stages(lock, tree.read("dvc.yaml"), tree.read("params.yaml"))


def check_lock(tree: WorkTree, stages: Stages, lacking: list[str]) -> list[Finding]:
    """Return what dvc.lock lacks, and what is in it and not in the committed files: code, params, reports.

    Args:
        tree: The committed files.
        stages: The current stages, from `read_stages`.
        lacking: Those that dvc.lock lacks.
    """
    params = parse_yaml(tree.read("params.yaml"), "params.yaml")
    digests = Digests(tree.paths, tree.read)
    outs = [(name, out) for name, stage in stages.items() for out in stage.outs]
    gone = {out.path for _, out in outs if out.path.startswith("reports/") and digests.of(out.path) is None}
    gone -= tree.ignored(gone)
    return [
        *(
            Finding("lock", "dvc.lock", f"dvc.lock has no stage {name} of dvc.yaml: {_REMEDY}.")
            for name in lacking
        ),
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
            "dvc.lock does not agree with itself: a later stage was made of another",
            outdated(stages),
            f"{_REMEDY}.",
        ),
        *_finding(
            "committed results are not those that dvc.lock names (edited, or committed without it):",
            [(name, out.path) for name, out in outs if not _agrees(out, digests)],
            f"{_REMEDY}, or `git checkout` the files.",
        ),
        *_finding(
            "dvc.lock names results that are not committed:",
            [(name, out.path) for name, out in outs if out.path in gone],
            f"{_REMEDY}.",
        ),
    ]


def _agrees(entry: Entry, digests: Digests) -> bool:
    """Return whether a file or folder is as dvc.lock says; what is not committed is."""
    return digests.of(entry.path) in {entry.md5, None}


def _stale_code(stages: Stages, digests: Digests) -> list[tuple[str, str]]:
    return [
        (name, entry.path)
        for name, stage in stages.items()
        for entry in stage.deps
        if entry.path.startswith(_CODE) and digests.of(entry.path) != entry.md5
    ]


def _stale_params(stages: Stages, params: Any) -> list[tuple[str, str]]:
    missing = object()
    stale = []
    for name, stage in stages.items():
        for key, value in stage.params.get("params.yaml", {}).items():
            node = params
            for part in key.split("."):
                node = node.get(part, missing) if isinstance(node, dict) else missing
            if node != value:
                stale.append((name, key))
    return stale


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
