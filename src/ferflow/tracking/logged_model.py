"""A candidate as a model of MLflow's: what it is known by, and its files in the artifact store."""

from __future__ import annotations

import importlib.metadata
import json
import tempfile
from pathlib import Path
from typing import Final

import mlflow
import numpy as np
from mlflow.entities import LoggedModelOutput, Metric, Run
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from PIL import Image

from ferflow.data.arrays import Images
from ferflow.data.synthetic.archive import draw
from ferflow.files import sha256_of_file, sha256_of_json, write_parquet
from ferflow.stage import heavy_imports
from ferflow.tracking.candidate import Candidate
from ferflow.tracking.store import Store

#: The candidate's answers to the validation split that it was chosen on: they stay with the model, whatever
#: becomes of its run.
ANSWERS: Final = "validation_answers.parquet"
#: What a registered model needs to be opened; pinned to the versions that made it.
_REQUIREMENTS: Final = ("keras", "mlflow", "numpy", "pandas", "tensorflow")
_SERVED_CODE: Final = Path(__file__).with_name("served_model.py")


def identity_of(candidate: Candidate) -> dict[str, str]:
    """Return the tags by which a version is known: of its training, its file, and how it is packaged."""
    return {
        "fingerprint": candidate.fingerprint,
        "model_sha256": sha256_of_file(candidate.file),
        "interface_sha256": sha256_of_json(
            [
                _SERVED_CODE.read_text(encoding="utf-8"),
                candidate.image_shape,
                candidate.labels,
                _requirements(),
            ]
        ),
    }


def log_candidate(store: Store, run: Run, candidate: Candidate) -> str:
    """Log a candidate into its finished run, which stays as it is otherwise; return the model's id.

    Of two processes that do so at once each makes a model of its own.
    """
    client, run_id = store.client, run.info.run_id
    # Not by an active run: that would be running meanwhile, and its end would move.
    model_id = str(
        client.create_logged_model(
            run.info.experiment_id, name=candidate.name, source_run_id=run_id, params=run.data.params
        ).model_id
    )
    try:
        _log_files(candidate, model_id)
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        _show_metrics(store, run_id, model_id, candidate)
    except BaseException:  # an interrupt too: half a model is of no use
        client.delete_logged_model(model_id)
        raise
    return model_id


def _log_files(candidate: Candidate, model_id: str) -> None:
    # MLflow runs the model's code once, and with it loads TensorFlow.
    with heavy_imports(), tempfile.TemporaryDirectory() as folder:
        labels, answers = Path(folder) / "labels.json", Path(folder) / ANSWERS
        labels.write_text(json.dumps(candidate.labels), encoding="utf-8")
        write_parquet(answers, candidate.contender.answers)
        mlflow.pyfunc.log_model(
            model_id=model_id,
            python_model=str(_SERVED_CODE),
            artifacts={
                "keras_model": str(candidate.file),
                "labels": str(labels),
                "validation_answers": str(answers),
            },
            signature=_signature(candidate),
            input_example=example_image(candidate.image_shape),
            pip_requirements=_requirements(),
        )


def example_image(image_shape: tuple[int, int, int]) -> Images:
    """Return a drawn face, uint8 of shape (1, H, W, C).

    Drawn for every data set: an example is handed on with the model, and an image of the data set may not be.
    """
    height, width, channels = image_shape
    face = np.asarray(Image.fromarray(draw("happy", 0)).resize((width, height)), dtype=np.uint8)
    return np.repeat(face[None, :, :, None], channels, axis=3)


def _show_metrics(store: Store, run_id: str, model_id: str, candidate: Candidate) -> None:
    """Show the run's scores on the model's own page."""
    metrics = []
    for name, value in candidate.metrics.items():
        # At the same time as in the run, or the run would have them twice.
        logged = [each for each in store.client.get_metric_history(run_id, name) if each.value == value]
        if logged:
            last = max(logged, key=lambda each: each.timestamp)
            metrics.append(Metric(name, value, last.timestamp, last.step, model_id=model_id))
    store.client.log_batch(run_id, metrics=metrics)


def _requirements() -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in _REQUIREMENTS]


def _signature(candidate: Candidate) -> ModelSignature:
    inputs = Schema([TensorSpec(np.dtype(np.uint8), (-1, *candidate.image_shape))])
    outputs = Schema([ColSpec(DataType.float, label) for label in candidate.labels])
    return ModelSignature(inputs=inputs, outputs=outputs)
