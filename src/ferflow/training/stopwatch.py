"""How long a training takes, over all processes that it was spread over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ferflow.errors import FerflowError
from ferflow.files import read_json, write_json


class Stopwatch:
    """The seconds of a training: of this process since now, and of those that it goes on from."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def go_on_from(self, seconds: float) -> None:
        """Count these too: what the checkpoint that is gone on with had taken."""
        self._started -= seconds

    @property
    def seconds(self) -> float:
        """So many until now. An epoch that a killed process did not finish counts only once."""
        return time.monotonic() - self._started


def write_training_time(path: Path, measured: Path, fingerprint: str) -> None:
    """Write how long a training took, unless `path` says it already.

    The figure that is there stays if it is of the same training on the same device, and if there is no
    measurement: a training that is repeated for its files, as in a fresh clone, changes nothing.

    Args:
        path: The file, which may exist: `fingerprint`, `device`, `seconds`; the last two null if unknown.
        measured: Where the train stage writes it of this training, which may have been elsewhere.
        fingerprint: Of the training.
    """
    kept, found = _read(path, fingerprint), _read(measured, fingerprint)
    if kept is not None and (found is None or kept.get("device") == found.get("device")):
        return
    write_json(path, found or {"fingerprint": fingerprint, "device": None, "seconds": None})


def _read(path: Path, fingerprint: str) -> dict[str, Any] | None:
    try:
        content = read_json(path)
    except FerflowError:
        return None
    return content if isinstance(content, dict) and content.get("fingerprint") == fingerprint else None
