"""The rows that the charts draw, column by column: few bytes, and no number longer than it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from ferflow.evaluation.pareto import pareto_front
from ferflow.evaluation.wording import magnitude
from ferflow.labels import EMOTIONS
from ferflow.page import text
from ferflow.page.data_inputs import Data
from ferflow.page.inputs import Inputs, Model

#: A table by columns, each as long as the others.
Columns = dict[str, list[Any]]

_DIGITS: Final = 4
_COLOURS: Final = 6  # so many models have one of their own; more are not told apart at a glance


def chart_rows(inputs: Inputs) -> dict[str, Columns]:
    """Return the rows of every chart by the key under which the page looks them up."""
    rows = {"counts": counts(inputs.data), "cost": costs(inputs.models)}
    if across := robustness_of_models(inputs.models):
        rows["robustness_of_models"] = across
    for model in inputs.models:
        if model.history is not None:
            rows[f"history {model.name}"] = history(model.history)
        if model.calibration is not None:
            rows[f"calibration {model.name}"] = _columns(model.calibration)
        if model.precision_recall is not None:
            rows[f"precision_recall {model.name}"] = precision_recall(model.precision_recall)
        if model.robustness is not None:
            rows[f"robustness {model.name}"] = robustness(model.robustness)
    return rows


def counts(data: Data) -> Columns:
    """Return the samples as they are used, a row for each emotion and split."""
    table = pd.DataFrame(
        [
            {"label": label, "split": split, "count": by_split[split], "order": order}
            for label, by_split in data.as_used.items()
            for order, split in enumerate(("train", "val", "test"))
        ]
    )
    return _columns(table)


def costs(models: Sequence[Model]) -> Columns:
    """Return a row for each model and kind of cost that is known of it; `front` is the Pareto front.

    A model is on the front of a cost if none that costs no more is at least as accurate on test. One near
    chance never is: a constant answer costs nothing.
    """
    rows = []
    for kind, known in _known_costs(models).items():
        of_kind = [model for model in models if model.name in known]
        front = pareto_front(
            [known[model.name][0] for model in of_kind],
            [model.test.accuracy for model in of_kind],
            [model.standing.near_chance for model in of_kind],
        )
        for model, unbeaten in zip(of_kind, front.tolist(), strict=True):
            cost, shown = known[model.name]
            rows.append(
                {
                    "kind": kind,
                    "model": model.name,
                    "rank": model.standing.rank,
                    # Those near chance lie on a heap, where numbers would hide each other.
                    "label": "" if model.standing.near_chance else str(model.standing.rank),
                    "cost": cost,
                    "shown": shown,
                    "accuracy": model.test.accuracy,
                    "low": model.test.accuracy_low,
                    "high": model.test.accuracy_high,
                    "interval": text.percent_interval(model.test.accuracy_low, model.test.accuracy_high),
                    "front": unbeaten,
                    "on the front": "yes" if unbeaten else "no",
                }
            )
    return _columns(pd.DataFrame(rows))


def on_front(costs: Columns, kind: str) -> list[str]:
    """Return the models on the Pareto front of one kind of cost, in the leaderboard's order."""
    columns = zip(costs["kind"], costs["model"], costs["front"], strict=True)
    return [model for found, model, front in columns if found == kind and front]


def robustness_of_models(models: Sequence[Model]) -> Columns:
    """Return each model's mean accuracy over corruptions by severity; no column if none was measured."""
    tables = []
    for model in models:
        if model.robustness is None:
            continue
        mean = model.robustness.groupby("severity", as_index=False)["accuracy"].mean()
        rank = model.standing.rank
        tables.append(mean.assign(model=model.name, place=rank, group=_group(model.name, rank)))
    return _columns(pd.concat(tables)) if tables else {}


def _group(name: str, rank: int) -> str:
    return name if rank <= _COLOURS else "others"


def history(table: pd.DataFrame) -> Columns:
    """Return a row for each epoch; `begins` is where a phase does, between two epochs but for the first."""
    starts = table["phase"].ne(table["phase"].shift())
    between = table["epoch"] - 0.5 * (np.arange(len(table)) > 0)
    renamed = table.rename(columns={"loss": "train_loss", "accuracy": "train_accuracy"})
    return _columns(renamed.assign(begins=between.where(starts)), digits=6)


def precision_recall(table: pd.DataFrame) -> Columns:
    """Return the points of each emotion's curve from high threshold to low."""
    known = table[table["label"].isin(EMOTIONS)]
    ordered = known.sort_values(["label", "threshold", "recall"], ascending=[True, False, True])
    return _columns(ordered.assign(place=range(len(ordered))))


def robustness(table: pd.DataFrame) -> Columns:
    """Return a line for each corruption, all of which begin at the clean images."""
    clean = table.loc[table["severity"] == 0, "accuracy"]
    start = float(clean.mean()) if len(clean) else None
    corrupted = table[table["severity"] > 0]
    lines = []
    for name, group in corrupted.groupby("corruption", sort=False):
        line = group.sort_values("severity")[["severity", "accuracy"]]
        if start is not None:
            line = pd.concat([pd.DataFrame({"severity": [0], "accuracy": [start]}), line])
        lines.append(line.assign(corruption=text.spoken(str(name)), clean=start))
    columns = ["severity", "accuracy", "corruption", "clean"]
    return _columns(pd.concat(lines) if lines else pd.DataFrame(columns=columns))


def _known_costs(models: Sequence[Model]) -> dict[str, dict[str, tuple[float, str]]]:
    """Return of each kind of cost what is known of it: `{kind: {model: (number, in words)}}`."""
    kinds: dict[str, dict[str, tuple[float, str]]] = {
        "FLOPs": {
            model.name: (model.about.flops, magnitude(model.about.flops, "FLOPs"))
            for model in models
            if model.about.flops is not None
        },
        "parameters": {
            model.name: (model.about.parameters, magnitude(model.about.parameters)) for model in models
        },
        "milliseconds an image": {},
    }
    for model in models:
        # Times of two devices say nothing about two models.
        if model.cost and models[0].cost and model.cost.device == models[0].cost.device:
            time = model.cost.milliseconds_per_image["1"]
            kinds["milliseconds an image"][model.name] = (time, text.milliseconds(time))
    return {
        kind: positive
        for kind, known in kinds.items()
        if (positive := {name: cost for name, cost in known.items() if cost[0] > 0})
    }


def _columns(table: pd.DataFrame, digits: int = _DIGITS) -> Columns:
    return {str(name): [_plain(value, digits) for value in table[name].tolist()] for name in table.columns}


def _plain(value: Any, digits: int) -> Any:
    """Return a value for JSON: four digits after the point, fewer bytes, and null for what is not known."""
    if not isinstance(value, float):
        return value
    if not np.isfinite(value):
        return None
    rounded = round(value, digits)
    return int(rounded) if rounded.is_integer() else rounded
