"""What this process has of the machine: how many cores, and whether other models are trained on them too."""

from __future__ import annotations

import os
from typing import Final

#: Set for stages that run side by side (see `ferflow.parallel`).
MODELS_AT_A_TIME: Final = "FERFLOW_MODELS_AT_A_TIME"
#: Behind the name of a device that others shared. Not how many: free memory decides that.
BESIDE_OTHERS: Final = ", beside other models"


def available_cores() -> int:
    """Return how many cores of the CPU this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def models_at_a_time() -> int:
    """Return how many models share the machine; 1 if this one has it alone."""
    return int(os.environ.get(MODELS_AT_A_TIME, "1"))


def shared(device: str) -> str:
    """Return the name of a device, and that other models share it if they do: for what a time is of."""
    return device if models_at_a_time() == 1 else f"{device}{BESIDE_OTHERS}"
