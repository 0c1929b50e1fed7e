"""The data set of a run, as MLflow shows it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import pandas as pd
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import DatasetInput, InputTag, Run
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from ferflow.errors import without_credentials
from ferflow.tracking.store import Store


@dataclass(frozen=True, slots=True)
class DataUsed:
    """The data set of a run, as MLflow shows it.

    Attributes:
        name: The data set's name in params.yaml.
        source: Where it was fetched from.
        labelled: `sample_id`, `label`, `split`, one row for each sample.
        sha256: Our own digest: MLflow's misses most changes.
    """

    name: str
    source: str
    labelled: pd.DataFrame
    sha256: str


def log_dataset(store: Store, run: Run, data: DataUsed) -> None:
    """Log the splits of a data set as the inputs of a run."""
    with warnings.catch_warnings():
        # A local path matches two of MLflow's kinds of source, which are the same class.
        warnings.filterwarnings("ignore", message="The specified dataset source")
        source = resolve_dataset_source(without_credentials(data.source))
    inputs = []
    for split, rows in data.labelled.groupby("split", sort=False):
        dataset = from_pandas(
            rows[["sample_id", "label"]].reset_index(drop=True),
            source=source,
            targets="label",
            name=f"{data.name}-{split}",
            digest=data.sha256[:32],
        )
        inputs.append(
            DatasetInput(dataset._to_mlflow_entity(), tags=[InputTag(MLFLOW_DATASET_CONTEXT, str(split))])
        )
    store.client.log_inputs(run.info.run_id, inputs)
