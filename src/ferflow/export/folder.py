"""The folder of an export: what may be written where, seen before minutes are spent on it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from ferflow.errors import FerflowError
from ferflow.files import read_or_none

REPORT: Final = "report.json"
#: All that an export may hold.
OWN_FILES: Final = frozenset(
    {"model.onnx", "model.int8.onnx", "model.tflite", "model.int8.tflite"}
    | {"labels.json", "example.py", REPORT, "report.md"}
)


def check_folder(out: Path) -> None:
    """Require that an export can be written to `out`, and replaces nothing but an earlier one.

    Raises:
        FerflowError: It is no folder, cannot be replaced or made, or holds something else.
    """
    try:
        if out.exists():
            _check_content(out)
            _check_replaceable(out)
        _try_beside(out)
    except OSError as error:
        raise cannot_be_written(out, error) from None


def cannot_be_written(out: Path, error: OSError) -> FerflowError:
    """Return what to tell of a folder that the system refuses."""
    return FerflowError(
        f"{out} cannot be written ({error.strerror or error}): give another folder with --out."
    )


def _check_content(out: Path) -> None:
    if not out.is_dir():
        raise FerflowError(f"{out} is no folder: give another one with --out.")
    held = sorted(out.iterdir())
    for each in held:
        if each.name not in OWN_FILES or each.is_symlink() or not each.is_file():
            raise FerflowError(
                f"{out} holds {each.name}, no file of an export: give another folder with --out."
            )
    told = read_or_none(out / REPORT) if held else {"files": []}
    if not isinstance(told, dict) or "files" not in told:
        raise FerflowError(f"{out} holds other files than an export: give another folder with --out.")


def _check_replaceable(out: Path) -> None:
    """Refuse what cannot be renamed, or would be taken away from under the process that works in it."""
    if Path.cwd().is_relative_to(out.resolve()) or os.path.ismount(out):
        raise FerflowError(f"{out} cannot be replaced as a whole: name a folder in it with --out.")


def _try_beside(out: Path) -> None:
    """Make and remove a folder where the first new one would stand: rights alone do not tell."""
    place = next(parent for parent in out.absolute().parents if parent.exists())
    with tempfile.TemporaryDirectory(prefix=".export.", dir=place):
        pass
