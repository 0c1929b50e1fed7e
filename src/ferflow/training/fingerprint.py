"""What identifies a training: on the same kind of machine, equal fingerprints mean the same model.

MLflow runs are found by it, never by a stored run id, so that a run-cache restore, a deleted database
or a repeated stage neither loses nor doubles a run.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from ferflow.files import sha256_of_json
from ferflow.params import Recipe
from ferflow.training.devices import Device

_PACKAGE: Final = Path(__file__).parent.parent


def code_files(architecture: str) -> list[Path]:
    """Return the source files that decide a training's result, sorted."""
    names = ("__init__", "attention", "inference", "layers", "pretrained", "saving", "views", architecture)
    models = [_PACKAGE / "models" / f"{name}.py" for name in names]
    data = [_PACKAGE / name for name in ("labels.py", "data/arrays.py", "data/labelled.py")]
    return sorted([*data, *models, *(_PACKAGE / "training").glob("*.py")])


def code_sha256(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the names and contents of source files, in their order."""
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def data_sha256(samples: pd.DataFrame, splits: pd.DataFrame) -> str:
    """Return the SHA-256 of what is trained and chosen on: pixels, label and split of every sample in use.

    Args:
        samples: The samples table (`sample_id`, `sha256`, `label`).
        splits: The splits table (`sample_id`, `split`).
    """
    columns = ["sample_id", "sha256", "label", "split"]
    in_use = splits[splits["split"].notna()]
    table = samples.merge(in_use, on="sample_id")[columns].sort_values("sample_id")
    return hashlib.sha256(table.to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def describe_training(
    *,
    model: str,
    architecture: str,
    recipe: Recipe,
    seed: int,
    device: Device,
    data: str,
    code: str,
) -> dict[str, Any]:
    """Return everything that decides a training's result, with the fingerprint of it.

    Args:
        model: Its name in params.yaml.
        architecture: The module that builds it.
        recipe: Its complete recipe.
        seed: The seed of the run.
        device: Kind, precision, and how many GPUs or threads share the work.
        data: From `data_sha256`.
        code: From `code_sha256`.
    """
    facts = {
        "model": model,
        "architecture": architecture,
        "recipe": recipe.model_dump(mode="json"),
        "seed": seed,
        "device": device.kind,
        "workers": device.workers,
        "precision": device.precision,
        "machine": platform.machine(),
        "backend": keras.backend.backend(),
        "versions": {"keras": keras.__version__, "numpy": np.__version__, "tensorflow": tf.__version__},
        "data_sha256": data,
        "code_sha256": code,
    }
    return {"fingerprint": sha256_of_json(facts), **facts}
