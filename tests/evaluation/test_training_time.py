from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ferflow.evaluation.training_time import together, training_time
from ferflow.files import write_json

HERE, THERE, OTHER = (
    {"fingerprint": fingerprint, "device": device, "seconds": seconds}
    for fingerprint, device, seconds in (("a", "cpu", 9.0), ("a", "gpu", 2.0), ("b", "cpu", 5.0))
)
AGAIN = {**HERE, "seconds": 9.5}
BESIDE, BESIDE_AGAIN = (
    {**HERE, "device": "cpu, beside other models", "seconds": each} for each in (17.0, 18.0)
)
UNKNOWN = {"fingerprint": "a", "device": None, "seconds": None}


@pytest.mark.parametrize(
    ("kept", "measured", "expected"),
    [
        (None, HERE, HERE),
        (HERE, AGAIN, HERE),
        (THERE, HERE, HERE),
        (THERE, None, THERE),
        (THERE, OTHER, THERE),
        (OTHER, HERE, HERE),
        (OTHER, None, UNKNOWN),
        (None, OTHER, UNKNOWN),
        (UNKNOWN, HERE, HERE),
        (BESIDE, BESIDE_AGAIN, BESIDE),
        (BESIDE, HERE, HERE),
        (HERE, BESIDE, HERE),
        (THERE, BESIDE, BESIDE),
    ],
)
def test_what_was_measured_stays_until_there_is_something_new(
    kept: Any, measured: Any, expected: Any, tmp_path: Path
) -> None:
    if measured:
        write_json(tmp_path / "measured", measured)
    assert training_time(kept, tmp_path / "measured", "a") == expected


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "measured").write_text(json.dumps(HERE)[:9], encoding="utf-8")
    assert training_time(None, tmp_path / "measured", "a") == UNKNOWN
    assert training_time(["a"], tmp_path / "measured", "a") == UNKNOWN


def test_several_trainings_took_as_long_as_all_of_them_on_one_device() -> None:
    other = {"fingerprint": "b", "device": "cpu", "seconds": 5.0}
    assert together([HERE, other], "both") == {"fingerprint": "both", "device": "cpu", "seconds": 14.0}
    assert together([BESIDE, other], "both") == {
        "fingerprint": "both",
        "device": "cpu, beside other models",
        "seconds": 22.0,
    }
    nothing = {"fingerprint": "b", "device": None, "seconds": None}
    assert together([UNKNOWN, nothing], "both") == {"fingerprint": "both", "device": None, "seconds": None}
    for unknown in (THERE, UNKNOWN):
        assert together([other, unknown], "both") == {"fingerprint": "both", "device": None, "seconds": None}
