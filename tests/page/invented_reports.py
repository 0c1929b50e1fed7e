"""A whole folder of reports as the stages write it, invented: seeded, small, and consistent in itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from PIL import Image

from ferflow.files import write_csv, write_json, write_text
from ferflow.labels import EMOTIONS

from . import invented_tables as tables

#: How well each invented model tells emotions apart: 0 is chance.
SKILLS: Final = {"attention_residual": 4.5, "cnn4": 3.5, "vgg16_full": 0.0}
PARAMETERS: Final = (2_733_369, 4_478_727, 15_247_175, 1_626_055, 25_693_063, 12_327_943)


@dataclass(frozen=True)
class Reports:
    """Where the invented reports are, and whose they are."""

    reports: Path
    data_report: Path
    validation: Path
    models: tuple[str, ...]

    def of(self, model: str) -> Path:
        return self.reports / "models" / model


def write_reports(
    root: Path, skills: Mapping[str, float] = SKILLS, *, dataset: str = "invented", samples: int = 280
) -> Reports:
    """Write reports of models whose ranks are the order of their skills, and return where they are."""
    paths = Reports(
        root / dataset / "quick", root / dataset / "data", root / dataset / "validation", tuple(skills)
    )
    actual = np.random.default_rng(0).choice(len(EMOTIONS), samples)
    answers = {name: tables.answers(actual, skill, seed) for seed, (name, skill) in enumerate(skills.items())}
    for place, name in enumerate(skills):
        _write_model(paths.of(name), name, dataset, place, actual, answers[name])
    write_json(paths.reports / "costs.json", {name: _cost(place) for place, name in enumerate(skills)})
    rows = [_standing(place, name, actual, answers[name]) for place, name in enumerate(skills)]
    write_csv(paths.reports / "leaderboard.csv", pd.DataFrame(rows))
    write_csv(paths.reports / "comparisons.csv", tables.comparisons(actual, answers))
    write_json(paths.data_report / "facts.json", facts(dataset))
    write_json(paths.validation / "report.json", gate())
    return paths


def facts(dataset: str = "invented", licence: str | None = "MIT") -> dict[str, Any]:
    """Return the content of a facts.json with defects of every kind."""
    counts = {label: {"train": 400 - 40 * row, "val": 40, "test": 40} for row, label in enumerate(EMOTIONS)}
    across = {"train_val": 3, "train_test": 0, "val_test": 1}
    copies = {"groups": 9, "samples": 20, "redundant": 11, "contradictory": 2, "contradictory_samples": 4}
    return {
        "origin": {"dataset": dataset, "source": "faces.zip", "sha256": "ab" * 32, "licence": licence},
        "samples": 2000,
        "used": 1990,
        "image_size": 48,
        "declared": {label: {**row, "none": 0} for label, row in counts.items()},
        "as_used": {label: {**row, "none": 1} for label, row in counts.items()},
        "left_out": {"copy of a test image": {"train": 7, "val": 3, "test": 0, "none": 0}},
        "train_balance": {"largest": "angry", "smallest": "neutral", "ratio": 2.5},
        "copies_declared": {
            **copies,
            "across": {pair: {"groups": number, "samples": number} for pair, number in across.items()},
        },
        "copies_used": {**copies, "across": {pair: {"groups": 0, "samples": 0} for pair in across}},
        "blank": {"min_pixel_std": 2.0, "samples": 2, "used": 1, "first": ["a.png"]},
        "defects": [{"reason": "not an image", "remedy": "Delete it.", "count": 1, "example": "b.png"}],
        "excluded": [],
    }


def gate() -> dict[str, Any]:
    """Return the content of the data gate's report.json with one warning."""
    shared = {"table": "samples", "column": "label", "threshold": 0.01, "fraction": None}
    found: dict[str, Any] = {
        "success": False,
        "observed": None,
        "checked": 2000,
        "unexpected": 11,
        "offenders": [],
    }
    return {
        "success": True,
        "summary": "53 expectations passed, 1 warning",
        "results": [
            {
                **shared,
                "outcome": "failed",
                "severity": "warning",
                "what": "at most 0.1 % of samples repeat another one's pixels",
                "limit": "max_duplicate_fraction",
                "remedy": "Keep one of each: what is there twice weighs double.",
                "finding": found,
            },
            {
                **shared,
                "outcome": "passed",
                "severity": "error",
                "what": "labels are known",
                "limit": None,
                "remedy": "Name them.",
                "finding": None,
            },
        ],
    }


def training(name: str, dataset: str = "invented") -> dict[str, Any]:
    """Return the content of a training.json."""
    return {
        "fingerprint": f"{name.encode().hex():0<64}"[:64],
        "model": name,
        "architecture": "residual",
        "recipe": {
            "input_size": 40,
            "options": {"dropout": 0.2},
            "optimizer": {"name": "muon", "weight_decay": 0.05, "momentum": None},
            "phases": {"head": {"epochs": 3, "learning_rate": 0.001}, "all": {"epochs": 5}},
        },
        "seed": 2013,
        "device": "cpu",
        "precision": "mixed_bfloat16",
        "data_sha256": "cd" * 32,
        "code_sha256": "ef" * 32,
        "dataset": dataset,
        "budget": "quick",
        "versions": {"keras": "3.15.1", "numpy": "2.4.6", "tensorflow": "2.21.0"},
    }


def _cost(place: int) -> dict[str, Any]:
    return {
        "device": "cpu",
        "keras": "3.15.1",
        "files": {"cnn4": "12" * 32},
        "members": None,
        "views": 1,
        "milliseconds_per_image": {"1": 1.5 + place, "64": 0.4 + place / 10},
        "training": {"fingerprint": "0", "device": "cpu", "seconds": 61.0 + 80 * place},
    }


def _write_model(
    folder: Path, name: str, dataset: str, place: int, actual: tables.Integers, answers: tables.Floats
) -> None:
    predicted = answers.argmax(axis=1)
    scores = tables.scores(actual, answers)
    parameters = PARAMETERS[place % len(PARAMETERS)]
    write_json(folder / "metrics.json", {"val": scores, "test": scores})
    write_json(folder / "training.json", training(name, dataset))
    write_json(
        folder / "model.json",
        {
            "model": name,
            "architecture": "residual",
            "parameters": parameters,
            "trainable_parameters": parameters - 4_288,
            "epochs": 8,
            "precision": "mixed_bfloat16",
            "fingerprint": training(name)["fingerprint"],
            "input_size": 40,
            "evaluate": {"horizontal_flip": False, "shift": 0},
            "views": 1,
            "flops": parameters * 40 + place * 7_000_000,
            "file_bytes": 4 * parameters,
        },
    )
    write_csv(folder / "per_class.csv", tables.per_class(actual, answers))
    names = np.array(EMOTIONS)
    confusion = pd.DataFrame({"actual": names[actual], "predicted": names[predicted]})
    write_csv(folder / "confusion.csv", confusion)
    # The second of the models has one phase, the third one epoch.
    write_csv(
        folder / "history.csv", tables.history("all" if place == 1 else "head").head(8 if place < 2 else 1)
    )
    write_csv(folder / "top_confusions.csv", tables.top_confusions(confusion))
    write_csv(folder / "calibration.csv", tables.calibration(actual, answers))
    write_csv(folder / "precision_recall.csv", tables.precision_recall(actual, answers))
    write_csv(folder / "robustness.csv", tables.robustness(scores["accuracy"]))
    write_text(folder / "architecture.txt", "Layer (type)    Output\ninput           (None, 48, 48, 1)\n")
    draw(folder / "architecture.png", 30, 90)
    draw(folder / "faces" / "errors.png", 160, 50)


def draw(path: Path, width: int, height: int) -> None:
    """Write a picture: gray levels from left to right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gradient = np.linspace(0, 255, width, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(gradient, (height, width)).copy()).save(path)


def _standing(place: int, name: str, actual: tables.Integers, answers: tables.Floats) -> dict[str, Any]:
    majority = float(np.bincount(actual).max() / len(actual))
    scores = tables.scores(actual, answers)
    return {
        "rank": place + 1,
        "model": name,
        "test_majority_share": majority,
        "near_chance": scores["accuracy_low"] <= majority,
        "corrupted_accuracy": 0.7 * scores["accuracy"],
        "corrupted_samples": 35,
        "corrupted_clean_accuracy": scores["accuracy"],
    }
