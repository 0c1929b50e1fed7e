from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ferflow.errors import FerflowError
from ferflow.evaluation.model_info import read_model_info
from ferflow.files import write_json

from .invented import MODEL


def read(folder: Path, **changes: Any) -> Any:
    write_json(folder / "model.json", MODEL.model_dump() | changes)
    return read_model_info(folder / "model.json")


def test_what_was_written_is_read() -> None:
    written = MODEL.model_copy(update={"flops": 581_000_000, "file_bytes": 18_000_000})
    assert type(MODEL).model_validate_json(written.model_dump_json()) == written


def test_one_of_an_earlier_version_has_no_cost(tmp_path: Path) -> None:
    old = {key: value for key, value in MODEL.model_dump().items() if key not in ("flops", "file_bytes")}
    write_json(tmp_path / "model.json", old)
    info = read_model_info(tmp_path / "model.json")
    assert (info.flops, info.file_bytes) == (None, None)


def test_a_later_version_may_say_more(tmp_path: Path) -> None:
    assert read(tmp_path, flops=7, files=3).flops == 7


@pytest.mark.parametrize("key", ["flops", "file_bytes"])
@pytest.mark.parametrize("value", [-1, 1.5, "5", True])
def test_a_cost_is_a_whole_number(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(FerflowError, match=rf"model\.json is not complete \({key}\): .*dvc repro"):
        read(tmp_path, **{key: value})
