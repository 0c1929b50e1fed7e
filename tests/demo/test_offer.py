"""The registry as the page knows it: never waited for, never asked too often, sometimes dead."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from ferflow.demo.offer import Models, Registry, Standing
from ferflow.errors import FerflowError
from ferflow.serving.classifiers import OpenedModel

from . import invented


def test_a_registry_is_asked_once_in_some_seconds_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("ferflow.demo.offer.time.monotonic", lambda: clock[0])
    asked: list[str] = []

    def ask() -> tuple[Mapping[str, str], str | None]:
        asked.append("")
        return {str(len(asked)): "version"}, str(len(asked))

    registry = Registry(ask)
    assert registry.standing(wait=True) == Standing({"1": "version"}, "1")
    for _ in range(20):
        assert registry.standing(wait=True).champion == "1"
    clock[0] += 5
    assert registry.standing(wait=True).champion == "2"
    assert len(asked) == 2


def test_a_dead_store_keeps_nobody_waiting_and_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    alive, answer = [True], threading.Event()

    def ask() -> tuple[Mapping[str, str], str | None]:
        if alive[0]:
            return {"3": "version 3"}, "3"
        assert answer.wait(10)
        raise FerflowError("the store https://ada:word@store.example.org does not work")

    registry = Registry(ask, seconds=-1)
    registry.standing(wait=True)
    alive[0] = False
    assert registry.standing() == Standing({"3": "version 3"}, "3"), "while the store hangs"
    answer.set()
    for _ in range(3):
        assert registry.standing(wait=True) == Standing({"3": "version 3"}, "3", answers=False)
    told = capsys.readouterr().err
    assert told.count("does not work") == 1 and "word" not in told
    alive[0] = True
    assert registry.standing(wait=True).answers


def test_models_are_opened_when_they_are_asked_for_and_few_stay_open() -> None:
    opened: list[str] = []

    def open_version(number: str) -> OpenedModel:
        opened.append(number)
        return invented.opened(number=number)

    models = Models(invented.opened(number="1"), open_version)
    assert models.given == "1"
    for key in ("1", "2", "2", "3", "1", "4", "1", "3"):
        assert models.predictor(key).model.details["version"] == key
    # Opening 4 closes 2, which was not asked for the longest.
    assert opened == ["2", "3", "4"]


def test_a_model_that_is_being_opened_keeps_nobody_waiting_who_asks_for_another_one() -> None:
    opened: list[str] = []
    started, go_on = threading.Event(), threading.Event()

    def open_version(number: str) -> OpenedModel:
        opened.append(number)
        started.set()
        assert go_on.wait(10)
        if number == "3":
            raise FerflowError("version 3 is gone")
        return invented.opened(number=number)

    models = Models(invented.opened(number="1"), open_version)
    with ThreadPoolExecutor() as threads:
        coming = [threads.submit(models.predictor, "2") for _ in range(2)]
        assert started.wait(10)
        assert models.predictor("1").model.details["version"] == "1"
        go_on.set()
        assert coming[0].result(10) is coming[1].result(10)
    assert opened == ["2"]
    for _ in range(2):
        with pytest.raises(FerflowError, match="gone"):
            models.predictor("3")
    assert opened == ["2", "3", "3"], "it may be back"


@pytest.mark.parametrize("key", ["", "given", "champion", "../1", "/etc/passwd", "models:/other/1"])
def test_only_versions_are_opened(key: str) -> None:
    models = Models(invented.opened(number="1"), lambda number: invented.opened(number=number))
    with pytest.raises(FerflowError, match="reload the page"):
        models.predictor(key)


def test_a_model_of_no_registry_is_the_only_one() -> None:
    models = Models(invented.opened(), None)
    assert models.predictor(Models.GIVEN).model.title == "invented"
    with pytest.raises(FerflowError):
        models.predictor("1")
