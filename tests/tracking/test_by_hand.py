from __future__ import annotations

import shutil
import sys
from pathlib import Path

import mlflow
import pytest

from ferflow import promote, rollback
from ferflow.errors import FerflowError
from ferflow.tracking import registry
from ferflow.tracking.by_hand import promote_by_hand, roll_back
from ferflow.tracking.store import Store

from .registering import NAME, candidate, files_of, held, log_without_keras, put_forward

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "log_candidate", log_without_keras)


@pytest.fixture
def three(store: Store, tmp_path: Path) -> Store:
    """Three champions, one after the other."""
    for name, right in (("first", 21), ("second", 35), ("third", 49)):
        put_forward(store, candidate(tmp_path, name, right))
    return store


def test_rolling_back_goes_back_step_by_step(three: Store) -> None:
    roll_back(three, NAME)
    assert roll_back(three, NAME).endswith("; there is no 'previous' any more")
    assert held(three) == {"champion": "1"}
    with pytest.raises(FerflowError, match="there is nothing to roll back to"):
        roll_back(three, NAME)
    assert held(three) == {"champion": "1"}


def test_promoting_by_hand_keeps_previous_right(three: Store, tmp_path: Path) -> None:
    line = promote_by_hand(three, NAME, "1")
    assert line.startswith(f"version 1 (first) of '{NAME}' is champion instead of version 3 (third)")
    assert held(three) == {"champion": "1", "previous": "3"}
    # The choice of a person stands, until another model is better.
    assert not put_forward(three, candidate(tmp_path, "third", 49)).decision.promoted
    assert promote_by_hand(three, NAME, "1").endswith("is the champion already")
    assert held(three) == {"champion": "1", "previous": "3", "challenger": "3"}
    roll_back(three, NAME)
    # Version 3 took the place of version 2.
    assert held(three) == {"champion": "3", "previous": "2"}


@pytest.mark.parametrize("number", ["9", "third", "0", "9" * 30])
def test_a_version_that_is_not_there_is_one_line(three: Store, number: str) -> None:
    with pytest.raises(FerflowError, match=f"has no version '{number}'; there are 1, 2, 3"):
        promote_by_hand(three, NAME, number)
    assert held(three) == {"champion": "3", "previous": "2"}


def test_a_version_without_files_is_not_promoted(three: Store) -> None:
    shutil.rmtree(files_of(three, "2"))
    with pytest.raises(FerflowError, match="its files are gone: nothing was changed"):
        roll_back(three, NAME)
    with pytest.raises(FerflowError, match="its files are gone: nothing was changed"):
        promote_by_hand(three, NAME, "2")
    assert held(three) == {"champion": "3", "previous": "2"}


def test_a_registry_without_models_is_one_line(store: Store) -> None:
    with pytest.raises(FerflowError, match="there is nothing to roll back to"):
        roll_back(store, NAME)
    with pytest.raises(FerflowError, match=r"it has none: run `make register`"):
        promote_by_hand(store, NAME, "1")


def test_the_commands_are_about_the_chosen_data_set(
    three: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    chosen = text.replace("registered_model: ferflow ", f"registered_model: {NAME} ")
    (tmp_path / "params.yaml").write_text(chosen, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["rollback"])
    rollback.main()
    assert capsys.readouterr().out.startswith("rollback: version 2 (second) of 'ferflow-test' is champion")
    monkeypatch.setattr(sys, "argv", ["promote", "3"])
    promote.main()
    assert capsys.readouterr().out.startswith("promote: version 3 (third) of 'ferflow-test' is champion")
    assert held(three) == {"champion": "3", "previous": "2"}


def test_a_version_that_somebody_made_by_hand_can_be_champion(three: Store) -> None:
    """It has none of our tags, and the choices about others stay."""
    roll_back(three, NAME)
    source = three.client.get_model_version(NAME, "3").source
    three.client.create_model_version(NAME, source)
    assert promote_by_hand(three, NAME, "4").startswith("version 4 (unknown) of")
    assert held(three) == {"champion": "4", "previous": "2"}
    assert "promotion.rolled_back" in three.client.get_model_version(NAME, "3").tags


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("writes", range(1, 7))
def test_a_rollback_that_is_killed_is_finished_and_goes_no_further(
    three: Store, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    left = writes

    def die_in_time(name: str) -> None:
        write = getattr(mlflow.MlflowClient, name)

        def counted(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise _Killed
            return write(*arguments, **options)

        monkeypatch.setattr(mlflow.MlflowClient, name, counted)

    for name in (
        "set_model_version_tag",
        "delete_model_version_tag",
        "set_registered_model_alias",
        "delete_registered_model_alias",
    ):
        die_in_time(name)
    killed = False
    try:
        roll_back(three, NAME)
    except _Killed:
        killed = True
    monkeypatch.undo()
    # The fewest writes stop it in the middle, the most let it through.
    assert killed or writes > 3
    if killed:
        roll_back(three, NAME)
    assert held(three) == {"champion": "2", "previous": "1"}
    tags = {number: three.client.get_model_version(NAME, number).tags for number in "123"}
    assert [number for number in "123" if "promotion.rolled_back" in tags[number]] == ["3"]
    assert tags["2"]["promotion.reason"] == "rolled back to by hand"
