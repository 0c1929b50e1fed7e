from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ferflow.training import devices
from ferflow.training.devices import Device, cpu_multiplies_bfloat16, prepare


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


def test_gpus_compute_in_bfloat16_and_share_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    growing: list[str] = []
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: growing.append(gpu) if on else None
    )
    assert prepare("auto", 1) == Device("gpu", 2, "mixed_bfloat16")
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
