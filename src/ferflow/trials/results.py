"""What trials gave: a table, best first, and the results in their MLflow runs."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from ferflow.data.labelled import labelled_samples
from ferflow.errors import FerflowError
from ferflow.evaluation.model_info import read_model_info
from ferflow.files import read_json, read_table
from ferflow.git_command import git
from ferflow.params import EvaluateParams, Params, Recipe
from ferflow.summary import where_to_compare
from ferflow.trials.grid import Trial, as_word


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial gave on the validation split: trials choose, so the test split has no say here."""

    macro_f1: float
    accuracy: float
    epochs: int


def show(params: Params, model: str, trials: Mapping[str, Trial], commits: Mapping[str, str]) -> None:
    """Print finished trials side by side, see to it that MLflow has them all, and say what to do next.

    Args:
        params: The content of params.yaml.
        model: The model that is tried.
        trials: By name; at least one.
        commits: The commit of each trial's experiment, by name.

    Raises:
        FerflowError: A report is missing or damaged, or the MLflow store does not work.
    """
    where = Path("reports") / params.dataset / params.budget / "models" / model
    with tempfile.TemporaryDirectory() as folder:
        reports = {name: _extract(commits[name], where, Path(folder) / name) for name in trials}
        results = {name: read_result(report, params.evaluate) for name, report in reports.items()}
        print(f"\n{as_text(trials, results, params.recipe(model))}\n", flush=True)
        page = _log(params, model, reports)
    best = best_first(results)[0]
    print(
        f"best       {best}: {trials[best]}\n"
        # Not `dvc exp apply`: it fails where other models were never trained, and rewraps params.yaml.
        f"take over  python -m ferflow.switch {' '.join(trials[best].overrides)} && dvc repro\n"
        f"compare    dvc exp show --only-changed; {page}"
    )


def read_result(report: Path, evaluate: EvaluateParams) -> Result:
    """Return what a trial gave from the report of its evaluation.

    Args:
        report: Holds metrics.json and model.json.
        evaluate: How models are evaluated now. It is not part of a trial's name: a model is the same
            however it is looked at, but numbers are compared only if they were measured alike.

    Raises:
        FerflowError: A file of the report is missing or not complete, or the trial was evaluated otherwise.
    """
    metrics = read_json(report / "metrics.json")
    info = read_model_info(report / "model.json")
    if info.evaluate != evaluate:
        name = f"{info.model}-{info.fingerprint[:7]}"
        raise FerflowError(
            f"{name} was measured under other `evaluate` params: `dvc exp remove {name}`, then try again."
        )
    try:
        validation = metrics["val"]
        macro_f1, accuracy = float(validation["macro_f1"]), float(validation["accuracy"])
    except (KeyError, TypeError, ValueError):
        raise FerflowError(f"{report / 'metrics.json'}: val.macro_f1 or val.accuracy is missing.") from None
    return Result(macro_f1, accuracy, info.epochs)


def best_first(results: Mapping[str, Result]) -> list[str]:
    """Return the names by validation macro-F1; of equals, the earlier one is first."""
    return sorted(results, key=lambda name: -results[name].macro_f1)


def as_text(trials: Mapping[str, Trial], results: Mapping[str, Result], present: Recipe) -> str:
    """Return a table for a terminal, best first; `*` marks the trial that is as params.yaml is now."""
    keys = list(next(iter(trials.values())).values)
    rows = [
        [
            f"{name} *" if trials[name].recipe == present else name,
            *(as_word(trials[name].values[key]) for key in keys),
            f"{results[name].macro_f1:.3f}",
            f"{100 * results[name].accuracy:.1f}%",
            results[name].epochs,
        ]
        for name in best_first(results)
    ]
    headers = ["trial", *(key.rpartition(".")[2] for key in keys), "val F1", "val acc.", "epochs"]
    align = ["left", *("right" for _ in headers[1:])]
    table = tabulate(rows, headers=headers, tablefmt="simple", colalign=align, disable_numparse=True)
    marked = any(trial.recipe == present for trial in trials.values())
    return f"{table}\n* as params.yaml is now" if marked else table


def _extract(commit: str, where: Path, folder: Path) -> Path:
    """Write a report as it is in an experiment's commit into `folder`; return where it lies."""
    packed = git("archive", "--format=tar", commit, where.as_posix())
    if packed.returncode != 0:
        raise FerflowError(
            f"the experiment {folder.name} has no {where}: `dvc exp remove {folder.name}`, then try again."
        )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        # An attribute, since the argument came with Python 3.11.4.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)  # noqa: S202 - git's own archive of our own commit
    return folder / where


def _log(params: Params, model: str, reports: Mapping[str, Path]) -> str:
    """Give every trial a run with its results, whether it was trained or restored; return where to look."""
    from ferflow.tracking.data_used import DataUsed
    from ferflow.tracking.projection import TrainedModel, project
    from ferflow.tracking.store import connect

    data = Path("data") / params.dataset
    labelled = labelled_samples(read_table(data / "samples.parquet"), read_table(data / "splits.parquet"))
    # The file of the model is asked for only where it is registered, and trials move no alias.
    models = [TrainedModel(model, Path(model), report) for report in reports.values()]
    store = connect(f"ferflow-{params.dataset}")
    project(
        store,
        models,
        DataUsed(
            params.dataset,
            params.source.source,
            labelled[["sample_id", "label", "split"]],
            models[0].training()["data_sha256"],
        ),
    )
    return where_to_compare(store)
