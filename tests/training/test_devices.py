from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ferflow.errors import FerflowError
from ferflow.training import devices
from ferflow.training.devices import (
    Device,
    cpu_multiplies_bfloat16,
    distributed,
    jit_compile,
    out_of_memory_explained,
    prepare,
)

ROOT = Path(__file__).parents[2]
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="another backend has its own devices, and uses one"
)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags\t\t: fpu sse4_2 avx512f avx512_bf16 avx512_vnni", True),
        ("flags\t\t: fpu amx_bf16 amx_tile amx_int8", True),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni", False),
        ("flags\t\t: fpu avx512_bf16_emulated", False),  # a word, not a part of one
        ("model name\t: with avx512_bf16\nflags\t\t: fpu sse2", False),
        ("Features\t: fp asimd bf16", False),
        ("", False),
    ],
)
def test_cpu_flags_decide(flags: str, expected: bool, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\n{flags}\nbogomips\t: 4000\n", encoding="utf-8")
    assert cpu_multiplies_bfloat16(cpuinfo) is expected


def test_a_system_that_does_not_say_gets_float32(tmp_path: Path) -> None:
    assert cpu_multiplies_bfloat16(tmp_path / "missing") is False


@pytest.mark.parametrize("capable", [True, False])
@pytest.mark.parametrize("requested", ["float32", "mixed_bfloat16"])
def test_a_forced_precision_is_kept(
    requested: devices.Precision, capable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: capable)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [])
    assert prepare(requested, 1) == Device("cpu", 1, requested)


@pytest.mark.parametrize(("capable", "expected"), [(True, "mixed_bfloat16"), (False, "float32")])
def test_auto_is_what_the_cpu_is_fast_at(
    capable: bool, expected: devices.Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: capable)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [])
    assert prepare("auto", 1) == Device("cpu", 1, expected)


@tensorflow_only
def test_gpus_compute_in_bfloat16_and_share_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    growing: list[str] = []
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: growing.append(gpu) if on else None
    )
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: {"device_name": "A100"})
    device = prepare("auto", 1)
    assert device == Device("gpu", 2, "mixed_bfloat16") and device.name == "2 x A100"
    assert growing == ["GPU:0", "GPU:1"]


def test_the_seed_decides_everything_random() -> None:
    def draw(seed: int) -> list[Any]:
        prepare("float32", seed)
        kernel = keras.initializers.GlorotUniform()((3, 3))
        dropped = keras.layers.Dropout(0.5)(np.ones((4, 4), "float32"), training=True)
        return [keras.random.normal((3,)), kernel, dropped, tf.random.uniform((3,))]

    for first, again, other in zip(draw(1), draw(1), draw(2), strict=True):
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 2147483648 bytes."),
    ],
    ids=["tensorflow", "jax"],
)
@pytest.mark.parametrize(
    ("batch_size", "remedy"), [(128, "batch_size: 64"), (33, "batch_size: 16"), (1, "a smaller input_size")]
)
def test_out_of_memory_names_what_to_try(error: Exception, batch_size: int, remedy: str) -> None:
    message = f"out of memory: model 'resnet50', phase 'finetune', batch_size {batch_size}; try {remedy}."
    with (
        pytest.raises(FerflowError, match=f"^{message}$"),
        out_of_memory_explained("resnet50", "finetune", batch_size),
    ):
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(ValueError, match="shapes"), out_of_memory_explained("resnet50", "finetune", 8):
        raise ValueError("shapes")


def test_one_device_needs_no_strategy() -> None:
    with distributed(Device("gpu", 1, "float32")):
        assert not tf.distribute.has_strategy()


def test_a_cpu_compiles_nothing_but_jax() -> None:
    on_cpu = "auto" if keras.backend.backend() == "jax" else False
    assert (jit_compile(Device("cpu", 1, "float32")), jit_compile(Device("gpu", 1, "float32"))) == (
        on_cpu,
        "auto",
    )


SHARED = """
import functools
import sys
from dataclasses import replace
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
both = functools.partial(tf.distribute.MirroredStrategy, ["CPU:0", "CPU:1"])
tf.distribute.MirroredStrategy = both

sys.path.insert(0, "tests/training")
import test_resume
from ferflow.training.devices import Device
from ferflow.training.fit import train

# 33 images in batches of 16: the last is too small to be shared. Validation has 19: no batch of 16 is.
recipe = test_resume.a_recipe(
    {
        "samples_per_epoch": 33,
        "ema_momentum": 0.5,
        "phases": {
            "all": test_resume.a_phase("all", 1, 0.05, input_size=20),
            "taught": test_resume.a_phase("all", 1, 0.05, self_distillation=0.5),
            "head": test_resume.a_phase("head", 2, 0.05),
        },
    }
)
val = test_resume.DATA.val
data = replace(test_resume.DATA, val=replace(val, rows=val.rows[:19], labels=val.labels[:19]))
test_resume.DATA = data
model = test_resume.a_model(5)
history = train(
    model,
    recipe,
    data,
    device=Device("cpu", 2, "float32"),
    seed=1,
    resized=lambda size: test_resume.a_model(5, size),
)
loss = test_resume.loss_of(model)
assert abs(loss - history[-1]["val_loss"]) < 1e-4, (loss, history)
"""


@tensorflow_only
def test_several_devices_share_a_training() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHARED],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "src", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "epochs of 2 steps" in done.stdout
