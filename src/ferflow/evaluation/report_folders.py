"""Where the reports of models and of ensembles lie."""

from __future__ import annotations

from pathlib import Path

from ferflow.params import Params


def report_folders(reports: Path, params: Params) -> dict[str, Path]:
    """Return the report folder of every model and ensemble in params.yaml, models first.

    Args:
        reports: The folder of a data set and budget.
        params: The content of params.yaml.
    """
    models = {name: reports / "models" / name for name in params.models}
    return models | {name: reports / "ensembles" / name for name in params.ensembles}
