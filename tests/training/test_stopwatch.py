from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ferflow.files import read_json, write_json
from ferflow.training.stopwatch import write_training_time

HERE, THERE, OTHER = (
    {"fingerprint": fingerprint, "device": device, "seconds": seconds}
    for fingerprint, device, seconds in (("a", "cpu", 9.0), ("a", "gpu", 2.0), ("b", "cpu", 5.0))
)
AGAIN = {**HERE, "seconds": 9.5}
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
    ],
)
def test_what_was_measured_stays_until_there_is_something_new(
    kept: Any, measured: Any, expected: Any, tmp_path: Path
) -> None:
    for name, content in (("kept", kept), ("measured", measured)):
        if content:
            write_json(tmp_path / name, content)
    write_training_time(tmp_path / "kept", tmp_path / "measured", "a")
    assert read_json(tmp_path / "kept") == expected


def test_what_cannot_be_read_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(json.dumps(HERE)[:9], encoding="utf-8")
    write_training_time(tmp_path / "kept", tmp_path / "measured", "a")
    assert read_json(tmp_path / "kept") == UNKNOWN
