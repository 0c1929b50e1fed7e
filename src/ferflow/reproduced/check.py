"""Compare the results in the work tree with the committed ones, and say what is not reproduced."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from ferflow.dvc_lock import Digests, Stages, current_stages, downstream, outdated, sources
from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import PROBABILITIES
from ferflow.reproduced.committed import Files
from ferflow.reproduced.machine import machine_differences, machine_facts
from ferflow.reproduced.scores import Pair, compare_answers, stale_metrics

_WORDS: Final = ("sample_id", "split", "label", "predicted")
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
    before, lacking = _stages(committed, " (committed)")
    after, not_run = _stages(now, "")
    missing = sorted(path for stage in after.values() for path in stage.outputs if not (root / path).exists())
    if not_run or missing:
        what = f"stage {not_run[0]} has not run" if not_run else f"{missing[0]} is missing"
        raise FerflowError(f"{what}: run `make repro` before its results are compared.")

    differs = _machine(committed, now, before, after, machine)
    findings = Findings(machine=differs, exact=machine == "same" or (machine == "auto" and not differs))
    findings.problems += [f"dvc.lock has no stage {name}: commit it with its results" for name in lacking]
    stale = _stale_sources(before, after)
    findings.problems += [
        f"stale dvc.lock: it is of another state of {what} ({_some(names)})" for what, names in stale.items()
    ]
    findings.problems += [
        f"the committed dvc.lock does not agree with itself: {name} was made of another {path}"
        for name, path in outdated(before)
    ]
    findings.problems += _altered("the committed", committed, before, committed)
    findings.problems += _altered("this run's", now, after, committed)
    _compare_outputs(findings, before, after, {name for names in stale.values() for name in names})
    for folder in _report_folders(before):
        _compare_model(findings, folder, committed, now)
    return findings


def _stages(files: Files, side: str) -> tuple[Stages, list[str]]:
    return current_stages(files["dvc.lock"], files["dvc.yaml"], files["params.yaml"], side)


def _report_folders(stages: Stages) -> list[str]:
    paths = [path for stage in stages.values() for path in stage.outputs]
    return [path.removesuffix("/metrics.json") for path in paths if path.endswith("/metrics.json")]


def _machine(committed: Files, now: Files, before: Stages, after: Stages, machine: Machine) -> set[str]:
    differences: set[str] = set()
    for folder in set(_report_folders(before)) & set(_report_folders(after)):
        facts = [
            machine_facts(_json(files, f"{folder}/training.json"), _cost(files, folder))
            for files in (committed, now)
        ]
        if machine == "auto" and not all("processor" in known for known in facts):
            raise FerflowError(
                f"unknown machine: costs.json does not say where {folder} was measured; say whether it is of "
                "the same kind, with `--machine same` or `--machine other`."
            )
        differences |= machine_differences(*facts)
    return differences


def _cost(files: Files, folder: str) -> dict[str, Any]:
    # reports/<dataset>/<budget>/models/<model>
    *above, _, model = folder.split("/")
    found = _json(files, "/".join([*above, "costs.json"])).get(model)
    return found if isinstance(found, dict) else {}


def _json(files: Files, path: str) -> dict[str, Any]:
    if path not in files:
        return {}
    try:
        content = json.loads(files[path])
        if isinstance(content, dict):
            return content
    except ValueError:
        pass
    raise FerflowError(f"{path} is no JSON object: run `make repro` and commit it.")


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
    known, digests = set(tracked), Digests(files, files.__getitem__)
    found = []
    for name, stage in stages.items():
        for path, expected in stage.outputs.items():
            in_git = path in known or any(each.startswith(f"{path}/") for each in known)
            if in_git and digests.of(path) != expected:
                found.append(f"{whose} {path} is not the one that dvc.lock names ({name})")
    return found


def _compare_outputs(findings: Findings, before: Stages, after: Stages, stale: set[str]) -> None:
    common = before.keys() & after.keys()
    different = {name for name in common if before[name].outputs != after[name].outputs}
    # Times are measured anew where the device is another one, and where other jobs shared it.
    free = {"measure"}
    if not findings.exact:
        free |= {name for name in common if name.startswith(("train@", "predict@"))}
    # What follows from stale code or params is no news.
    excused = downstream(after, (free & different) | stale)
    for name in (name for name in before if name in common):
        was, made = before[name].outputs, after[name].outputs
        unequal = [path for path, expected in was.items() if made.get(path) != expected]
        findings.outputs += len(was)
        findings.equal += len(was) - len(unequal)
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
        table = pd.read_parquet(io.BytesIO(files[path]))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise FerflowError(f"{path} cannot be read ({reason}): run `make repro` and commit it.") from None
    numbers = table.select_dtypes("number").columns
    if not ({*_WORDS} <= {*table.columns} and {*PROBABILITIES} <= {*numbers}):
        raise FerflowError(f"{path} is no table of predictions: run `make repro` and commit it.")
    return table


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
