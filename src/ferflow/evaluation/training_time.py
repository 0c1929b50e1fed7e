"""How long trainings took: what is said of it stays while the training and its device do."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ferflow.files import read_or_none
from ferflow.shared_machine import BESIDE_OTHERS

TrainingTime = dict[str, Any]


def training_time(kept: object, measured: Path, fingerprint: str) -> TrainingTime:
    """Return how long a training took: `fingerprint`, `device`, `seconds`; the last two None if unknown.

    What is known stays if it is of the same training on the same device, and if there is no measurement: a
    training that is repeated for its files, as in a fresh clone, changes nothing. Only the time of a training
    that had the device alone replaces that of one that had not.

    Args:
        kept: What is known of it, or of anything else.
        measured: Where the train stage writes it of this training, which may have been elsewhere.
        fingerprint: Of the training.
    """
    known, found = _of(kept, fingerprint), _of(read_or_none(measured), fingerprint)
    if known is not None and (found is None or _says_as_much(known.get("device"), found.get("device"))):
        return known
    return found or {"fingerprint": fingerprint, "device": None, "seconds": None}


def together(times: Collection[TrainingTime], fingerprint: str) -> TrainingTime:
    """Return how long several trainings took one after the other; unknown if not all were on one device.

    Args:
        times: Of each of them.
        fingerprint: Of what they make together.
    """
    names = [time["device"] for time in times]
    devices = {_alone(name) for name in names}
    if len(devices) != 1 or None in devices:
        return {"fingerprint": fingerprint, "device": None, "seconds": None}
    seconds = round(sum(time["seconds"] for time in times), 1)
    # The longest name is that of a device that one of them shared, if any did.
    return {"fingerprint": fingerprint, "device": max(names, key=len), "seconds": seconds}


def _says_as_much(known: str | None, found: str | None) -> bool:
    return known == found or (found is not None and _alone(found) == known)


def _alone(device: str | None) -> str | None:
    return None if device is None else device.removesuffix(BESIDE_OTHERS)


def _of(content: object, fingerprint: str) -> TrainingTime | None:
    return content if isinstance(content, dict) and content.get("fingerprint") == fingerprint else None
