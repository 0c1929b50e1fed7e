"""How long trainings took: what is said of it stays while the training and its device do."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ferflow.files import read_or_none

TrainingTime = dict[str, Any]


def training_time(kept: object, measured: Path, fingerprint: str) -> TrainingTime:
    """Return how long a training took: `fingerprint`, `device`, `seconds`; the last two None if unknown.

    What is known stays if it is of the same training on the same device, and if there is no measurement: a
    training that is repeated for its files, as in a fresh clone, changes nothing.

    Args:
        kept: What is known of it, or of anything else.
        measured: Where the train stage writes it of this training, which may have been elsewhere.
        fingerprint: Of the training.
    """
    known, found = _of(kept, fingerprint), _of(read_or_none(measured), fingerprint)
    if known is not None and (found is None or known.get("device") == found.get("device")):
        return known
    return found or {"fingerprint": fingerprint, "device": None, "seconds": None}


def together(times: Collection[TrainingTime], fingerprint: str) -> TrainingTime:
    """Return how long several trainings took one after the other; unknown if not all were on one device.

    Args:
        times: Of each of them.
        fingerprint: Of what they make together.
    """
    devices = {time["device"] for time in times}
    if len(devices) != 1 or None in devices:
        return {"fingerprint": fingerprint, "device": None, "seconds": None}
    seconds = round(sum(time["seconds"] for time in times), 1)
    return {"fingerprint": fingerprint, "device": devices.pop(), "seconds": seconds}


def _of(content: object, fingerprint: str) -> TrainingTime | None:
    return content if isinstance(content, dict) and content.get("fingerprint") == fingerprint else None
