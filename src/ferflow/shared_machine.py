"""Whether other models are trained on this machine right now: times are then not those of one model alone."""

from __future__ import annotations

import os
from typing import Final

#: Set for stages that run side by side (see `ferflow.parallel`).
MODELS_AT_A_TIME: Final = "FERFLOW_MODELS_AT_A_TIME"


def models_at_a_time() -> int:
    """Return how many models share the machine; 1 if this one has it alone."""
    return int(os.environ.get(MODELS_AT_A_TIME, "1"))


def shared(device: str) -> str:
    """Return the name of a device with how many models share it, if any do: for what a time is of."""
    count = models_at_a_time()
    return device if count == 1 else f"{device}, {count} models at a time"
