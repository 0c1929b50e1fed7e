"""A model by whatever a user calls it: `champion`, a version, a run, a file, an address."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ferflow.errors import FerflowError
from ferflow.params import load_params
from ferflow.serving.classifiers import OpenedModel, open_keras, open_onnx
from ferflow.stage import settle_environment

CHAMPION: Final = "champion"
#: What commands say of their option for `open_model`.
MODEL_HELP: Final = (
    "an alias or a version of the registered model, a .keras or .onnx file, a run, an address of MLflow's "
    "(default: %(default)s)"
)
#: The registered model where there is no params.yaml that names it.
REGISTERED_MODEL: Final = "ferflow"


def open_model(name: str = CHAMPION) -> OpenedModel:
    """Open a model for use.

    Args:
        name: One of:

            * an alias of the registered model (`champion`, `previous`, `challenger`) or a version's number;
            * a path: a `.keras` file, an `.onnx` file of `make export`, or a folder of one of them;
            * the id of a run;
            * an address of MLflow's: `models:/ferflow@champion`, `models:/ferflow/3`, `runs:/…`.

            The registered model is that of the data set that params.yaml chooses; `ferflow` where there is no
            params.yaml.

    Raises:
        FerflowError: There is no such model, or it cannot be opened.
    """
    path = Path(name)
    if path.exists():
        return _open_path(path)
    is_path = path.suffix or len(path.parts) > 1
    if is_path and ":/" not in name:
        raise FerflowError(f"{name} is missing: give the path of a .keras or .onnx file, or an alias.")
    return _open_stored(name)


def registered_model() -> str:
    """Return the name of the registered model of the data set that params.yaml chooses.

    Raises:
        FerflowError: params.yaml is not valid.
    """
    return load_params().source.registered_model if Path("params.yaml").is_file() else REGISTERED_MODEL


def _open_path(path: Path) -> OpenedModel:
    if path.suffix == ".tflite":
        raise FerflowError(f"{path}: LiteRT files are not opened here: give model.onnx of the same export.")
    if path.suffix == ".onnx":
        return open_onnx(path)
    if path.is_dir() and (path / "model.onnx").is_file():
        return open_onnx(path / "model.onnx")
    if path.is_dir() and (path / "model.keras").is_file():
        return open_keras(path / "model.keras", path.name)
    if path.is_dir():
        return _open_stored(str(path))
    return open_keras(path, path.parent.name if path.stem == "model" else path.stem)


def _open_stored(name: str) -> OpenedModel:
    # Before MLflow is imported, whoever calls: it would send telemetry, and try a dead server for minutes.
    settle_environment()
    from ferflow.tracking.stored_models import stored_model

    stored = stored_model(name, registered_model())
    return open_keras(stored.file, stored.title, stored.labels, stored.details)
