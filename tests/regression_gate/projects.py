"""Tiny projects in git: invented results of three models, committed as the pipeline commits them."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from ferflow.evaluation.metrics import summarize
from ferflow.evaluation.outcomes import PROBABILITIES, join
from ferflow.labels import EMOTIONS

BOARD = "sample/quick"
#: How good each model is, the best first.
SKILLS = {"cnn4": 2.3, "cnn2_small": 1.9, "compact_residual": 1.5}
_ROOT = Path(__file__).parent.parent.parent
_HARD, _OWN = 1.0, 0.34  # two trainings then agree about 80 %

Change = Callable[[pd.DataFrame], pd.DataFrame]


def truth(test: int = 1500, seed: int = 1) -> pd.DataFrame:
    """Ids, splits and labels of a validation split of 300 samples and a test split."""
    generator = np.random.default_rng(seed)
    number = 300 + test
    return pd.DataFrame(
        {
            "sample_id": [f"{place:016x}" for place in range(number)],
            "split": ["val"] * 300 + ["test"] * test,
            "label": generator.choice(EMOTIONS, size=number),
        }
    )


def answers(labels: pd.DataFrame, skill: float, seed: int) -> pd.DataFrame:
    """What a network says that is trained with a seed: what is hard about a sample is so for all of them."""
    hard = np.random.default_rng(0).normal(scale=_HARD, size=(len(labels), 7))
    own = np.random.default_rng(seed).normal(scale=_OWN, size=(len(labels), 7))
    actual = labels["label"].to_numpy()[:, None] == np.array(EMOTIONS)
    return with_probabilities(labels, np.exp(1.7 * (skill * actual + hard + own)))


def with_probabilities(labels: pd.DataFrame, exponents: Any) -> pd.DataFrame:
    """A table of predictions, from what is no distribution yet."""
    probabilities = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    table = labels[["sample_id", "split", "label"]].reset_index(drop=True)
    table["predicted"] = np.array(EMOTIONS)[probabilities.argmax(axis=1)]
    table[list(PROBABILITIES)] = probabilities
    return table


def wrong_answers(table: pd.DataFrame, rows: Any) -> pd.DataFrame:
    """The same, but for some rows, where two probabilities are exchanged: the right one and another."""
    table = table.copy()
    values = table[list(PROBABILITIES)].to_numpy().copy()
    for row in np.flatnonzero(rows):
        best = values[row].argmax()
        other = (best + 1) % 7
        values[row, [best, other]] = values[row, [other, best]]
    table[list(PROBABILITIES)] = values
    table["predicted"] = np.array(EMOTIONS)[values.argmax(axis=1)]
    return table


@functools.cache
def _ours() -> Any:
    return YAML(typ="safe", pure=True).load((_ROOT / "params.yaml").read_text(encoding="utf-8"))


class Project:
    """A work tree and its git repository.

    Args:
        root: An empty folder.
        labels: The samples of both splits.
    """

    def __init__(self, root: Path, labels: pd.DataFrame) -> None:
        self.root = root
        self.labels = labels
        # Without sample hooks: each test copies all of it.
        self.git("init", "--quiet", "--initial-branch=main", "--template=")
        self.write("src/model.py", "LAYERS = 4\n")
        self.write("dvc.yaml", "stages: {all: {cmd: all}}\n")
        self.limits({})
        for number, (name, skill) in enumerate(SKILLS.items()):
            self.train(name, answers(labels, skill, seed=100 + number))
        self.finish()
        self.commit()

    @property
    def reports(self) -> Path:
        return self.root / "reports" / BOARD

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout

    def write(self, path: str, content: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")

    def limits(self, changes: dict[str, Any]) -> None:
        """Write params.yaml: ours, with changes of `gate`, each by its dotted key."""
        yaml = YAML(typ="safe", pure=True)
        content = copy.deepcopy(_ours())
        models = dict.fromkeys(SKILLS, "a recipe")
        content = {"seed": content["seed"], "models": models, "gate": content["gate"]}
        content["gate"]["floors"] = {BOARD: {"accuracy": 0.5}}
        for key, value in changes.items():
            node = content["gate"]
            *parents, last = key.split(".")
            for parent in parents:
                node = node[parent]
            node[last] = value
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        with (self.root / "params.yaml").open("w", encoding="utf-8") as stream:
            yaml.dump(content, stream)

    def train(self, name: str, table: pd.DataFrame) -> None:
        """Write a model's table and what follows from it."""
        folder = self.reports / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        table.to_parquet(folder / "predictions.parquet", index=False)
        metrics = summarize(join(table, table[["sample_id", "split", "label"]]))
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.reports / "models" / name / "predictions.parquet")

    def retrain(self, name: str, change: Change) -> None:
        """Change a model's table, and all that follows from it."""
        self.train(name, change(self.table(name)))
        self.finish()

    def finish(self) -> None:
        """Write what follows from all models: the leaderboard, the champion, dvc.lock."""
        rows = []
        for folder in sorted((self.reports / "models").iterdir()):
            metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            val, test = metrics["val"], metrics["test"]
            rows.append(
                {
                    "model": folder.name,
                    "val_macro_f1": val["macro_f1"],
                    "test_accuracy": test["accuracy"],
                    "test_macro_f1": test["macro_f1"],
                }
            )
        table = pd.DataFrame(rows).sort_values("val_macro_f1", ascending=False, ignore_index=True)
        table.insert(0, "rank", range(1, len(table) + 1))
        table.to_csv(self.reports / "leaderboard.csv", index=False)
        self.write(f"reports/{BOARD}/champion.json", json.dumps(table.drop(columns="rank").iloc[0].to_dict()))
        self.lock()

    def lock(self) -> None:
        """Write dvc.lock as after a run of the pipeline."""
        files = [path for path in self.reports.rglob("*") if path.is_file()]
        outs = [self._entry(path.relative_to(self.root).as_posix()) for path in sorted(files)]
        stage = {
            "deps": [self._entry("src/model.py")],
            "params": {"params.yaml": {"seed": 2013}},
            "outs": outs,
        }
        with (self.root / "dvc.lock").open("w", encoding="utf-8") as stream:
            YAML(typ="safe", pure=True).dump({"schema": "2.0", "stages": {"all": stage}}, stream)

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "results")
        return self.git("rev-parse", "HEAD").strip()

    def _entry(self, path: str) -> dict[str, str]:
        content = (self.root / path).read_bytes()
        return {"path": path, "md5": hashlib.md5(content, usedforsecurity=False).hexdigest()}
