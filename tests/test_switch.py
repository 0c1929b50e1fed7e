from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ferflow import switch
from ferflow.errors import FerflowError

PARAMS = (Path(__file__).parent.parent / "params.yaml").read_text(encoding="utf-8")


def test_only_the_lines_of_the_keys_change() -> None:
    changed = switch.change(
        PARAMS, ["dataset=fer2013", "budget=full", "datasets.fer2013.source=../a b/faces-1.zip"]
    )
    before, after = PARAMS.splitlines(), changed.splitlines()
    assert len(before) == len(after)
    different = [new.strip() for old, new in zip(before, after, strict=True) if old != new]
    assert different == ["dataset: fer2013", "budget: full", "source: ../a b/faces-1.zip"]


def test_values_keep_their_types() -> None:
    changed = switch.change(PARAMS, ["seed=7", "training.precision=float32", "datasets.sample.sha256=null"])
    content = YAML(typ="safe", pure=True).load(changed)
    assert content["seed"] == 7
    assert content["training"]["precision"] == "float32"
    assert content["datasets"]["sample"]["sha256"] is None


def test_a_key_may_be_new_where_there_are_others() -> None:
    changed = switch.change(PARAMS, ["models.cnn4.full.phases.all.schedule=one_cycle"])
    content = YAML(typ="safe", pure=True).load(changed)
    assert content["models"]["cnn4"]["full"]["phases"]["all"]["schedule"] == "one_cycle"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed", "write seed=value"),
        ("seed.x=1", "no keys under 'seed'"),
        ("datasets.other.source=x", "no keys under 'datasets.other'"),
        ("seed=[1", "not valid YAML"),
    ],
)
def test_what_is_no_setting_is_one_line(setting: str, message: str) -> None:
    with pytest.raises(FerflowError, match=message) as raised:
        switch.change(PARAMS, [setting])
    assert "\n" not in str(raised.value)


def test_invalid_result_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(PARAMS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for setting, message in (("budget=quik", r"budget: .*quik"), ("budgets=full", "budgets")):
        monkeypatch.setattr("sys.argv", ["switch", setting])
        with pytest.raises(FerflowError, match=message):
            switch.main()
        assert file.read_text(encoding="utf-8") == PARAMS
    monkeypatch.setattr("sys.argv", ["switch", "budget=full"])
    switch.main()
    assert "\nbudget: full\n" in file.read_text(encoding="utf-8")
