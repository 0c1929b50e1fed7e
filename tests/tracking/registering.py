"""Candidates for the registry, and models of MLflow's that need no Keras."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from ferflow.evaluation.promotion import Contender
from ferflow.files import write_parquet
from ferflow.labels import EMOTIONS
from ferflow.params import PromotionParams
from ferflow.params.promotion import RuleParams
from ferflow.tracking import registry
from ferflow.tracking.candidate import Candidate, ValidationSplit
from ferflow.tracking.logged_model import ANSWERS
from ferflow.tracking.registry import Registration, register
from ferflow.tracking.store import Store

NAME = "ferflow-test"
IMPROVEMENT = PromotionParams(rules=[RuleParams(minimum_improvement=0.0)], challenger=True)
SAMPLES = 70


def validation(side: int = 4, first: int = 0) -> ValidationSplit:
    """A split with ten images of each emotion, whose ids begin at `first`."""
    samples = pd.DataFrame(
        {
            "sample_id": [f"{first + number:016x}" for number in range(SAMPLES)],
            "label": [EMOTIONS[(first + number) % len(EMOTIONS)] for number in range(SAMPLES)],
            "sha256": [f"{first + number:064x}" for number in range(SAMPLES)],
        }
    )
    return ValidationSplit(samples, (side, side, 1))


def answers(split: ValidationSplit, right: int) -> pd.DataFrame:
    """Answers of which the first `right` are right, and the others all wrong."""
    labels = split.samples["label"]
    wrong = [EMOTIONS[(EMOTIONS.index(label) + 1) % len(EMOTIONS)] for label in labels]
    predicted = [*labels[:right], *wrong[right:]]
    return split.samples.assign(predicted=predicted)


def candidate(
    folder: Path,
    name: str,
    right: int,
    split: ValidationSplit | None = None,
    costs: Mapping[str, float] | None = None,
    labels: tuple[str, ...] = EMOTIONS,
) -> Candidate:
    """A candidate that is right about so many of the split's images."""
    split = split or validation()
    file = folder / f"{name}.keras"
    file.write_text(name)
    return Candidate(
        name=name,
        fingerprint=name * 8,
        file=file,
        image_shape=split.image_shape,
        labels=labels,
        description=name,
        tags={"model": name, **{key.replace("/", "_"): str(cost) for key, cost in (costs or {}).items()}},
        metrics={},
        contender=Contender(answers(split, right), costs or {}),
    )


def log_without_keras(store: Store, run: Run, what: Candidate) -> str:
    """Stand in for `log_candidate`: a model that can be found and compared, but not loaded."""
    made = store.client.create_logged_model(
        run.info.experiment_id, name=what.name, source_run_id=run.info.run_id
    )
    shape = (-1, *what.image_shape)
    inputs = Schema([TensorSpec(np.dtype(np.uint8), shape)])
    with tempfile.TemporaryDirectory() as folder:
        write_parquet(Path(folder) / "artifacts" / ANSWERS, what.contender.answers)
        shutil.copy(what.file, Path(folder) / "artifacts")
        model = Model(model_id=made.model_id, signature=ModelSignature(inputs=inputs, outputs=inputs))
        model.save(str(Path(folder) / "MLmodel"))
        store.client.log_model_artifacts(made.model_id, folder)
    store.client.finalize_logged_model(made.model_id, "READY")
    return str(made.model_id)


def put_forward(store: Store, what: Candidate, promotion: PromotionParams = IMPROVEMENT) -> Registration:
    """Register a candidate from a run of its own."""
    tags = {"git_commit": "c" * 40, "fingerprint": what.fingerprint}
    run = store.client.create_run(store.experiment_id, tags=tags)
    store.client.set_terminated(run.info.run_id)
    return register(store, NAME, run, what, promotion)


def files_of(store: Store, number: str) -> Path:
    """Where the files of a version are."""
    model = store.client.get_model_version(NAME, number).source.removeprefix("models:/")
    return Path(unquote(urlsplit(store.client.get_logged_model(model).artifact_location).path))


def held(store: Store) -> dict[str, str]:
    """The numbers of the versions that have an alias."""
    aliases: Mapping[str, str] = store.client.get_registered_model(NAME).aliases
    return {alias: str(number) for alias, number in aliases.items()}


def number_of_versions(store: Store) -> int:
    return len(store.client.search_model_versions(f"name='{NAME}'"))


def use_no_keras() -> None:
    """Make this process log models without Keras."""
    pytest.MonkeyPatch().setattr(registry, "log_candidate", log_without_keras)
