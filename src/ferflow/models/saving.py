"""Models on disk: equal models give equal bytes, so that DVC can tell them apart by content."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from ferflow.errors import FerflowError
from ferflow.files import atomic_file

_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_model(model: keras.Model, path: Path) -> None:
    """Write `model` as a .keras file that is a function of its configuration and weights alone.

    Keras writes the time into the metadata and the archive, and memory addresses as ids of shared
    objects; these are replaced by constants and by order of appearance.

    Args:
        model: A built model of stock Keras layers, never compiled: an optimizer would be saved with it.
        path: The file to write, whole or not at all; it ends in `.keras`.
    """
    if model.compiled:
        raise ValueError("a compiled model would be saved with its optimizer")
    with atomic_file(path) as temporary:
        raw = temporary.with_name(f".raw{temporary.name}")
        try:
            model.save(raw)
            _normalise(raw, temporary)
        finally:
            raw.unlink(missing_ok=True)


def load_model(path: Path) -> keras.Model:
    """Return the model in a .keras file, for inference.

    Raises:
        FerflowError: The file is missing or is not a Keras model.
    """
    if not path.is_file():
        raise FerflowError(f"{path} is missing: run `dvc repro` to make it.")
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, TypeError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0]
        raise FerflowError(f"{path} is not a readable Keras model ({reason}): run `dvc repro`.") from None


def _normalise(source: Path, destination: Path) -> None:
    with (
        zipfile.ZipFile(source) as archive,
        zipfile.ZipFile(destination, "w", zipfile.ZIP_STORED) as result,
    ):
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            if name == "metadata.json":
                metadata = json.loads(content)
                del metadata["date_saved"]
                content = json.dumps(metadata).encode()
            elif name == "config.json":
                content = json.dumps(_renumber(json.loads(content), {})).encode()
            result.writestr(zipfile.ZipInfo(name, _EPOCH), content)


def _renumber(value: Any, seen: dict[int, int]) -> Any:
    """Return a configuration whose shared-object ids count from 1 in order of appearance."""
    if isinstance(value, dict):
        return {
            key: seen.setdefault(item, len(seen) + 1) if key == "shared_object_id" else _renumber(item, seen)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renumber(item, seen) for item in value]
    return value
