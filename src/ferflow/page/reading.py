"""The files of a report folder, read and checked: what the page must have, and what may be missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd
from pydantic import ValidationError

from ferflow.errors import FerflowError
from ferflow.evaluation.model_info import read_model_info
from ferflow.files import read_json, read_table
from ferflow.labels import EMOTIONS
from ferflow.page.data_inputs import Data, Gate, Read
from ferflow.page.inputs import (
    Cost,
    Inputs,
    Model,
    Scores,
    Standing,
    Training,
)
from ferflow.page.pictures import read_picture

_LEADERBOARD: Final = {
    "rank": "int64",
    "model": "str",
    "near_chance": "bool",
    "test_majority_share": "float64",
    "corrupted_accuracy": "float64",
    "corrupted_samples": "int64",
    "corrupted_clean_accuracy": "float64",
}
_COMPARISONS: Final = {
    "model_a": "str",
    "model_b": "str",
    "samples": "int64",
    "accuracy_difference": "float64",
    "accuracy_difference_low": "float64",
    "accuracy_difference_high": "float64",
    "macro_f1_difference": "float64",
    "macro_f1_difference_low": "float64",
    "macro_f1_difference_high": "float64",
    "only_a_right": "int64",
    "only_b_right": "int64",
    "p_value_holm": "float64",
    "differs": "bool",
}
_PER_CLASS: Final = {
    "split": "str",
    "label": "str",
    "precision": "float64",
    "recall": "float64",
    "f1": "float64",
    "support": "int64",
    "average_precision": "float64",
}
_CONFUSION: Final = {"actual": "str", "predicted": "str"}
_HISTORY: Final = {
    "epoch": "int64",
    "phase": "str",
    "learning_rate": "float64",
    "loss": "float64",
    "accuracy": "float64",
    "val_loss": "float64",
    "val_accuracy": "float64",
}
_TOP_CONFUSIONS: Final = {"actual": "str", "predicted": "str", "count": "int64", "share": "float64"}
_CALIBRATION: Final = {
    "bin_low": "float64",
    "bin_high": "float64",
    "samples": "int64",
    "confidence": "float64",
    "accuracy": "float64",
}
_PRECISION_RECALL: Final = {
    "label": "str",
    "threshold": "float64",
    "precision": "float64",
    "recall": "float64",
}
_ROBUSTNESS: Final = {
    "corruption": "str",
    "severity": "int64",
    "samples": "int64",
    "accuracy": "float64",
    "macro_f1": "float64",
}

#: Wide enough for both pictures on a screen of high density, narrow enough for a page with twelve of each.
_WIDEST: Final = 1400

Kind = TypeVar("Kind", bound=Read)


def read_inputs(reports: Path, folders: Mapping[str, Path], *, data_report: Path, validation: Path) -> Inputs:
    """Return everything that the page and the model card show.

    Args:
        reports: The folder of a data set and budget: `leaderboard.csv`, `comparisons.csv`, `costs.json`.
        folders: The report folder of each model and ensemble in params.yaml: no other one is looked at.
        data_report: The folder of the data report: `facts.json`.
        validation: The folder of the data gate's report: `report.json`.

    Raises:
        FerflowError: A file that must be there is missing, or one that is there is not complete; or the
            leaderboard is of other models.
    """
    standings = _standings(reports / "leaderboard.csv", folders)
    costs = _costs(reports / "costs.json")
    return Inputs(
        models=tuple(
            _model(folders[standing.model], standing, costs.get(standing.model)) for standing in standings
        ),
        comparisons=_table(reports / "comparisons.csv", _COMPARISONS),
        data=_json(data_report / "facts.json", Data),
        gate=_json(validation / "report.json", Gate),
    )


def _costs(path: Path) -> dict[str, Cost]:
    content = read_json(path) if path.exists() else {}
    return {name: _checked(path, cost, Cost, f"{name}.") for name, cost in content.items()}


def _standings(path: Path, models: Collection[str]) -> list[Standing]:
    table = _table(path, _LEADERBOARD)
    if sorted(table["model"]) != sorted(models):
        raise FerflowError(
            f"{path} is of the models {', '.join(table['model']) or 'none'}, params.yaml has "
            f"{', '.join(models)}: run `dvc repro`."
        )
    rows = table.sort_values("rank").to_dict("records")
    return [
        _checked(path, {str(key): None if pd.isna(value) else value for key, value in row.items()}, Standing)
        for row in rows
    ]


def _model(folder: Path, standing: Standing, cost: Cost | None) -> Model:
    about = read_model_info(folder / "model.json")
    if about.model != standing.model:
        raise FerflowError(f"{folder / 'model.json'} is of the model {about.model}: run `dvc repro`.")
    metrics = read_json(folder / "metrics.json")
    scores = {
        split: _checked(folder / "metrics.json", metrics.get(split) or {}, Scores, f"{split}.")
        for split in ("val", "test")
    }
    return Model(
        standing=standing,
        about=about,
        training=_json(folder / "training.json", Training),
        **scores,
        per_class=_table(folder / "per_class.csv", _PER_CLASS),
        confusion=_confusion(folder / "confusion.csv"),
        history=_table_if_there(folder / "history.csv", _HISTORY),
        top_confusions=_table_if_there(folder / "top_confusions.csv", _TOP_CONFUSIONS),
        calibration=_table_if_there(folder / "calibration.csv", _CALIBRATION),
        precision_recall=_table_if_there(folder / "precision_recall.csv", _PRECISION_RECALL),
        robustness=_table_if_there(folder / "robustness.csv", _ROBUSTNESS),
        cost=cost,
        architecture=_text_if_there(folder / "architecture.txt"),
        architecture_picture=read_picture(folder / "architecture.png", widest=_WIDEST, photograph=False),
        errors=read_picture(folder / "faces" / "errors.png", widest=_WIDEST, photograph=True),
    )


def _confusion(path: Path) -> pd.DataFrame:
    pairs = _table(path, _CONFUSION)
    counts = pd.crosstab(pairs["actual"], pairs["predicted"])
    return counts.reindex(index=list(EMOTIONS), columns=list(EMOTIONS), fill_value=0)


def _table(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    table = read_table(path)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise FerflowError(f"{path}: there is no column {', '.join(missing)}: delete it and run `dvc repro`.")
    try:
        return table[list(columns)].astype(columns)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise FerflowError(f"{path}: {reason}: delete it and run `dvc repro`.") from None


def _table_if_there(path: Path, columns: Mapping[str, str]) -> pd.DataFrame | None:
    return _table(path, columns) if path.exists() else None


def _json(path: Path, kind: type[Kind]) -> Kind:
    return _checked(path, read_json(path), kind)


def _text_if_there(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _checked(path: Path, content: Any, kind: type[Kind], within: str = "") -> Kind:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        keys = ", ".join(within + (".".join(map(str, detail["loc"])) or "all") for detail in error.errors())
        raise FerflowError(f"{path} is not complete ({keys}): delete it and run `dvc repro`.") from None
