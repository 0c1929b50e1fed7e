"""Compare the results in the work tree with the committed ones, and say what is not reproduced."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ferflow.errors import FerflowError
from ferflow.reproduced.committed import Files
from ferflow.reproduced.lock import Stages, current_stages, digest, downstream, outputs, sources
from ferflow.reproduced.machine import machine_differences, machine_facts
from ferflow.reproduced.scores import Pair, compare_answers, stale_metrics

#: Whether equal bytes are asked of trainings: if both runs are said to be of the same kind of machine,
#: always, or never.
Machine = Literal["auto", "same", "other"]


@dataclass
class Findings:
    """What a comparison has found.

    Args:
        machine: What differs between the two machines, in words; nothing if they are of the same kind.
        exact: Whether equal bytes were asked of trainings too.
        outputs: Number of outputs.
        equal: Number of outputs that are equal bytes.
        pairs: All models, in the order of dvc.lock.
        problems: What is not reproduced, a line each; none if all is.
    """

    machine: set[str]
    exact: bool
    outputs: int = 0
    equal: int = 0
    pairs: list[Pair] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def compare(committed: Files, now: Files, root: Path, machine: Machine = "auto") -> Findings:
    """Return what of the committed results the work tree reproduces.

    Args:
        committed: What the commit holds, from `committed_files`.
        now: The same files as the work tree has them.
        root: The work tree, to see which outputs are there.
        machine: Whether equal bytes are asked of trainings.

    Raises:
        FerflowError: The pipeline has not run in this work tree.
    """
    before, lacking = _stages(committed)
    after, not_run = _stages(now)
    missing = sorted(
        path for stage in after.values() for path in outputs(stage) if not (root / path).exists()
    )
    if not_run or missing:
        what = f"stage {min(not_run)} has not run" if not_run else f"{missing[0]} is missing"
        raise FerflowError(f"{what}: run `make repro` before its results are compared.")

    differs = _machine(committed, now, before, after)
    findings = Findings(machine=differs, exact=machine == "same" or (machine == "auto" and not differs))
    findings.problems += [
        f"dvc.lock has no stage {name}: commit it with its results" for name in sorted(lacking)
    ]
    stale = _stale_sources(before, after)
    findings.problems += [
        f"stale dvc.lock: it is of another state of {what} ({_some(names)})" for what, names in stale.items()
    ]
    findings.problems += _altered("the committed", committed, before, committed)
    findings.problems += _altered("this run's", now, after, committed)
    _compare_outputs(findings, before, after, {name for names in stale.values() for name in names})
    for folder in _report_folders(before):
        _compare_model(findings, folder, committed, now)
    return findings


def _stages(files: Files) -> tuple[Stages, set[str]]:
    return current_stages(files["dvc.lock"], files["dvc.yaml"], files["params.yaml"])


def _report_folders(stages: Stages) -> list[str]:
    paths = [path for stage in stages.values() for path in outputs(stage)]
    return [path.removesuffix("/metrics.json") for path in paths if path.endswith("/metrics.json")]


def _machine(committed: Files, now: Files, before: Stages, after: Stages) -> set[str]:
    differences: set[str] = set()
    for folder in set(_report_folders(before)) & set(_report_folders(after)):
        facts = [
            machine_facts(_json(files, f"{folder}/training.json"), _cost(files, folder))
            for files in (committed, now)
        ]
        differences |= machine_differences(*facts)
    return differences


def _cost(files: Files, folder: str) -> dict[str, Any]:
    # reports/<dataset>/<budget>/models/<model>
    *above, _, model = folder.split("/")
    found: dict[str, Any] = _json(files, "/".join([*above, "costs.json"])).get(model, {})
    return found


def _json(files: Files, path: str) -> dict[str, Any]:
    if path not in files:
        return {}
    try:
        content: dict[str, Any] = json.loads(files[path])
    except ValueError:
        raise FerflowError(f"{path} is not valid JSON: run `make repro` and commit it.") from None
    return content


def _stale_sources(before: Stages, after: Stages) -> dict[str, list[str]]:
    """Return of what code, params and commands the committed results are not, and for which stages."""
    then, now = sources(before), sources(after)
    stages: dict[str, list[str]] = defaultdict(list)
    for name, what in sorted(then.keys() | now.keys()):
        if name in before and name in after and then.get((name, what)) != now.get((name, what)):
            stages[what].append(name)
    return stages


def _altered(whose: str, files: Files, stages: Stages, tracked: Iterable[str]) -> list[str]:
    """Say which outputs that are in git are not what the lock beside them says."""
    known = set(tracked)
    found = []
    for name, stage in stages.items():
        for path, expected in outputs(stage).items():
            in_git = path in known or any(each.startswith(f"{path}/") for each in known)
            if in_git and digest(path, files) != expected:
                found.append(f"{whose} {path} is not the one that dvc.lock names ({name})")
    return found


def _compare_outputs(findings: Findings, before: Stages, after: Stages, stale: set[str]) -> None:
    common = before.keys() & after.keys()
    different = {name for name in common if outputs(before[name]) != outputs(after[name])}
    # Times are measured anew where the device is another one, and where other jobs shared it.
    free = {"measure"}
    if not findings.exact:
        free |= {name for name in common if name.startswith(("train@", "predict@"))}
    # What follows from stale code or params is no news.
    excused = downstream(after, (free & different) | stale)
    for name in (name for name in before if name in common):
        made = outputs(after[name])
        unequal = [path for path, expected in outputs(before[name]).items() if made.get(path) != expected]
        findings.outputs += len(outputs(before[name]))
        findings.equal += len(outputs(before[name])) - len(unequal)
        if unequal and name not in excused:
            findings.problems.append(f"not the committed bytes ({name}): {_some(unequal)}")


def _compare_model(findings: Findings, folder: str, committed: Files, now: Files) -> None:
    model, path = folder.rsplit("/", 1)[-1], f"{folder}/predictions.parquet"
    if path not in now:
        findings.problems.append(f"{model} has no predictions any more: {path}")
        return
    try:
        before, after = (_table(files, path) for files in (committed, now))
        pair = compare_answers(model, before, after)
        stale = stale_metrics(_json(committed, f"{folder}/metrics.json"), before)
    except FerflowError as error:
        findings.problems.append(str(error))
        return
    findings.pairs.append(pair)
    if stale:
        findings.problems.append(f"stale {folder}/metrics.json: not of its predictions ({_some(stale)})")
    if not pair.within:
        findings.problems.append(
            f"{model}: accuracy {pair.difference.value * 100:+.1f} points on {pair.samples:,} samples, "
            f"where chance explains {pair.allowed * 100:.1f}"
        )


def _table(files: Files, path: str) -> pd.DataFrame:
    if path not in files:
        raise FerflowError(f"{path} is not committed: run `make repro` and commit reports.")
    try:
        return pd.read_parquet(io.BytesIO(files[path]))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise FerflowError(f"{path} cannot be read ({reason}): run `make repro` and commit it.") from None


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
