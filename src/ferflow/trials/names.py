"""The name of a trial: that of its MLflow run, known before it has run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ferflow.files import read_table
from ferflow.params import Params
from ferflow.stage import heavy_imports
from ferflow.trials.grid import Trial


def name_trials(params: Params, model: str, trials: Sequence[Trial]) -> dict[str, Trial]:
    """Return the trials by name, `<model>-<fingerprint>`, in their order.

    Recipe, data, code, seed, device and library versions are in the fingerprint: equal names are equal
    trainings, and a trial whose code has changed is another one.
    """
    data = Path("data") / params.dataset
    samples, splits = read_table(data / "samples.parquet"), read_table(data / "splits.parquet")
    architecture = params.models[model].architecture
    with heavy_imports():
        from ferflow.training import fingerprint
        from ferflow.training.devices import prepare

        device = prepare(params.training.precision, params.seed)
    data_sha256 = fingerprint.data_sha256(samples, splits)
    code_sha256 = fingerprint.code_sha256(fingerprint.code_files(architecture))
    named = {}
    for trial in trials:
        training = fingerprint.describe_training(
            model=model,
            architecture=architecture,
            recipe=trial.recipe,
            seed=params.seed,
            device=device,
            data=data_sha256,
            code=code_sha256,
        )
        named[f"{model}-{training['fingerprint'][:7]}"] = trial
    return named
