"""What the training runs on, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

Precision = Literal["float32", "mixed_bfloat16"]


@dataclass(frozen=True, slots=True)
class Device:
    """The device of a training run.

    Attributes:
        kind: "gpu" or "cpu".
        count: How many GPUs are visible; 1 on a CPU.
        precision: The Keras dtype policy that layers compute in.
    """

    kind: Literal["gpu", "cpu"]
    count: int
    precision: Precision


def prepare(requested: Literal["auto"] | Precision, seed: int) -> Device:
    """Seed and make deterministic everything that trains in this process; return its device.

    Args:
        requested: A precision, or "auto": bfloat16 where the hardware multiplies it natively (GPUs;
            CPUs with AVX512-BF16 or AMX), else float32.
        seed: Seeds Python, NumPy, Keras and TensorFlow.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Otherwise TensorFlow takes all memory of the card from everyone else.
        tf.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    kind: Literal["gpu", "cpu"] = "gpu" if gpus else "cpu"
    precision: Precision
    if requested == "auto":
        precision = "mixed_bfloat16" if gpus or cpu_multiplies_bfloat16() else "float32"
    else:
        precision = requested
    return Device(kind=kind, count=max(len(gpus), 1), precision=precision)


def cpu_multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the CPU has bfloat16 matrix instructions (AVX512-BF16 or AMX).

    Where the system does not say (not Linux), the answer is no: float32 is right everywhere.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return bool({"avx512_bf16", "amx_bf16"} & set(flags.split()))
