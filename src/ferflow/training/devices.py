"""What the training runs on, and in which precision."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import keras
import tensorflow as tf

from ferflow.errors import FerflowError

Precision = Literal["float32", "mixed_bfloat16"]


@dataclass(frozen=True, slots=True)
class Device:
    """The device of a training run.

    Attributes:
        kind: "gpu" or "cpu".
        count: How many GPUs are visible; 1 on a CPU.
        precision: The Keras dtype policy that layers compute in.
        name: What the hardware is called; for people, decides nothing.
    """

    kind: Literal["gpu", "cpu"]
    count: int
    precision: Precision
    name: str = field(default="", compare=False)

    @property
    def workers(self) -> int:
        """How many GPUs, or threads of the CPU, share the work: with it, the order of sums changes."""
        return self.count if self.kind == "gpu" else cpu_threads()


def prepare(requested: Literal["auto"] | Precision, seed: int) -> Device:
    """Seed and make deterministic everything that trains in this process; return its device.

    Args:
        requested: A precision, or "auto": bfloat16 where the hardware multiplies it natively (GPUs;
            CPUs with AVX512-BF16 or AMX), else float32.
        seed: Seeds Python, NumPy, Keras and TensorFlow.
    """
    gpus = _gpus()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    kind: Literal["gpu", "cpu"] = "gpu" if gpus else "cpu"
    precision: Precision
    if requested == "auto":
        precision = "mixed_bfloat16" if gpus or cpu_multiplies_bfloat16() else "float32"
    else:
        precision = requested
    name = _gpu_name(gpus[0]) if gpus else _from_cpuinfo("model name") or platform.machine()
    # Another backend than TensorFlow trains on one.
    count = len(gpus) if gpus and keras.backend.backend() == "tensorflow" else 1
    return Device(kind=kind, count=count, precision=precision, name=f"{count} x {name}" if gpus else name)


def distributed(device: Device) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which a model is made and trained, so that all GPUs of `device` share its work.

    Every GPU gets a part of each batch (see `sharing`), so that a recipe means the same on any number of
    them; only batch normalisation sees the part alone. With another backend than TensorFlow one is used.
    """
    if device.count > 1 and keras.backend.backend() == "tensorflow":
        return tf.distribute.MirroredStrategy().scope()
    return contextlib.nullcontext()


def cpu_threads() -> int:
    """Return how many threads of the CPU this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def jit_compile(device: Device) -> Literal["auto"] | bool:
    """Return Keras's setting: XLA gains on GPUs and loses a factor of three on CPUs, JAX has nothing else."""
    return "auto" if device.kind == "gpu" or keras.backend.backend() == "jax" else False


@contextlib.contextmanager
def out_of_memory_explained(model: str, phase: str, batch_size: int) -> Iterator[None]:
    """Turn running out of the device's memory into an error that says what to try.

    Args:
        model: Its name.
        phase: The phase's name.
        batch_size: The present one.

    Raises:
        FerflowError: The block ran out of memory.
    """
    try:
        yield
    except Exception as error:
        # JAX has no class of its own for it.
        if not isinstance(error, tf.errors.ResourceExhaustedError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        smaller = f"batch_size: {batch_size // 2}" if batch_size > 1 else "a smaller input_size"
        raise FerflowError(
            f"out of memory: model '{model}', phase '{phase}', batch_size {batch_size}; try {smaller}."
        ) from None


def _gpus() -> list[Any]:
    """Return the GPUs of Keras's backend; TensorFlow takes no more of their memory than it needs."""
    gpus: list[Any] = tf.config.list_physical_devices("GPU")
    if keras.backend.backend() != "tensorflow":
        tf.config.set_visible_devices([], "GPU")  # TensorFlow only feeds the other backend
        return [device for device in keras.distribution.list_devices() if not device.startswith("cpu")]
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return gpus


def cpu_multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the CPU has bfloat16 matrix instructions (AVX512-BF16 or AMX).

    Where the system does not say (not Linux), the answer is no: float32 is right everywhere.
    """
    return bool({"avx512_bf16", "amx_bf16"} & set(_from_cpuinfo("flags", cpuinfo).split()))


def _from_cpuinfo(key: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return what the system says of its first processor, or nothing."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _gpu_name(gpu: Any) -> str:
    if keras.backend.backend() != "tensorflow":
        return str(gpu)
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
