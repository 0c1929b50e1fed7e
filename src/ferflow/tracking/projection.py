"""MLflow made to agree with DVC's files: every model has its run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd
from mlflow.entities import Run

from ferflow.evaluation.model_info import ModelInfo, read_model_info
from ferflow.files import read_json, read_table
from ferflow.tracking.data_used import DataUsed
from ferflow.tracking.liveness import end_dead_runs
from ferflow.tracking.provenance import how_to_reproduce, lock_sha256
from ferflow.tracking.results import log_results
from ferflow.tracking.runs import EPOCH_METRICS, ensure_run, stage_of
from ferflow.tracking.saved_view import save_view
from ferflow.tracking.store import Store, errors_in_one_line

#: The answers about damaged images, of which the report has the summary.
_FOR_STAGES: Final = ("damaged.parquet",)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """The files of one model, as the train and evaluate stages wrote them.

    Attributes:
        name: Its name in params.yaml.
        file: The trained model; of the best one, the model as it was evaluated: what is registered.
        report: Holds training.json and history.csv of its training, and all that evaluation wrote.
        cost: What costs.json says of it.
        card: The model card of the leaderboard that it is the best of; None for the others.
    """

    name: str
    file: Path
    report: Path
    cost: Mapping[str, Any] = field(default_factory=dict)
    card: Path | None = None

    def training(self) -> dict[str, Any]:
        """Return training.json."""
        content: dict[str, Any] = read_json(self.report / "training.json")
        return content

    def info(self) -> ModelInfo:
        """Return model.json."""
        return read_model_info(self.report / "model.json")

    def history(self) -> pd.DataFrame:
        """Return history.csv; no epoch of an ensemble, which is not trained itself."""
        if self.info().members:
            return pd.DataFrame(columns=["epoch", *EPOCH_METRICS])
        return read_table(self.report / "history.csv")

    def files(self) -> dict[str, Path]:
        """Return what goes to MLflow, by its path there: the report, without what only stages read."""
        report = {
            f"report/{file.relative_to(self.report).as_posix()}": file
            for file in sorted(self.report.rglob("*"))
            if file.is_file() and file.name not in _FOR_STAGES
        }
        return report | ({self.card.name: self.card} if self.card else {})

    def metrics(self) -> dict[str, float]:
        """Return metrics.json and what the model costs with MLflow's names: `val/macro_f1` and so on."""
        content: dict[str, dict[str, float]] = read_json(self.report / "metrics.json")
        scores = {
            f"{split}/{name}": float(value)
            for split, values in content.items()
            for name, value in values.items()
        }
        info, times = self.info(), self.cost.get("milliseconds_per_image", {})
        costs = {
            "parameters": info.parameters,
            "flops": info.flops,
            **{f"milliseconds_per_image_at_batch_{batch}": time for batch, time in times.items()},
            "training_seconds": self.cost.get("training", {}).get("seconds"),
        }
        return scores | {f"cost/{name}": float(value) for name, value in costs.items() if value is not None}


def project(store: Store, models: Sequence[TrainedModel], data: DataUsed) -> list[Run]:
    """Find or rebuild the run of every model; return the runs in the models' order.

    It can be called at any time and any number of times: what is there already stays as it is.

    Args:
        store: An open store.
        models: All models of the leaderboard.
        data: The data set that all of them used.

    Raises:
        FerflowError: A file of a model is missing, or the store does not work.
    """
    runs = []
    with errors_in_one_line(store.uri):
        end_dead_runs(store)
        save_view(store, data.name)
        for model in models:
            training, history = model.training(), model.history()
            run = ensure_run(store, training, history, data)
            log_results(store, run, model.metrics(), model.files(), _tags(model, training, run))
            runs.append(run)
    return runs


def view_tags(model: TrainedModel) -> dict[str, str]:
    """Return over which views of an image a model was evaluated, as params.yaml says it."""
    views = model.info().evaluate.model_dump()
    return {f"evaluate.{key}": json.dumps(value) for key, value in views.items()}


def _tags(model: TrainedModel, training: Mapping[str, Any], run: Run) -> dict[str, str]:
    """Return the tags of a run that are known once its model is evaluated, its description among them."""
    views, made = view_tags(model), stage_of(training)
    stage = f"{made}@{model.name}"
    lock = lock_sha256(stage)
    evaluation = f"{'evaluate' if made == 'train' else 'evaluate_ensemble'}@{model.name}"
    description = (
        f"**{model.name}** (`{training['architecture']}`) on data set `{training['dataset']}`, "
        f"`{training['budget']}` budget, {training['precision']} on {training['device']}.\n\n"
        # First: MLflow hides what is below some lines behind a click.
        f"{how_to_reproduce(run.data.tags, evaluation, views)}\n\n{_scores(model.metrics())}"
    )
    return {
        "mlflow.note.content": description,
        **views,
        **({"dvc_lock_sha256": lock} if lock else {}),
    }


def _scores(metrics: Mapping[str, float]) -> str:
    """Return the headline scores with their intervals, as a table in Markdown."""
    rows = [
        f"| {words} | {_with_interval(metrics, f'val/{name}')} | {_with_interval(metrics, f'test/{name}')} |"
        for name, words in (("macro_f1", "macro-F1"), ("accuracy", "accuracy"))
    ]
    return "\n".join(["| | validation | test |", "|---|---|---|", *rows])


def _with_interval(metrics: Mapping[str, float], name: str) -> str:
    ends = [metrics.get(f"{name}_{end}") for end in ("low", "high")]
    interval = f" ({ends[0]:.3f}–{ends[1]:.3f})" if None not in ends else ""
    return f"{metrics[name]:.3f}{interval}"
