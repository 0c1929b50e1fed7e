from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from ferflow.errors import FerflowError
from ferflow.params import Params
from ferflow.trials import __main__ as command
from ferflow.trials import queue, results
from ferflow.trials.grid import Trial


class Queue:
    """Stands in for DVC's queue: experiments run at once, and some of them fail."""

    def __init__(self) -> None:
        self.done: dict[str, str] = {}
        self.waiting: dict[str, str] = {}
        self.failing: set[str] = set()
        self.put_names: list[str] = []
        self.jobs: list[int] = []
        self.shown: list[str] = []

    def put(self, name: str, target: str, overrides: Sequence[str]) -> None:
        assert target == "evaluate@cnn2_small"
        assert overrides
        self.put_names.append(name)
        self.waiting[name] = "Queued"

    def run_all(self, jobs: int) -> None:
        self.jobs.append(jobs)
        self.done |= {name: "commit" for name in self.waiting if name not in self.failing}
        self.waiting.clear()

    def show(self, _: Params, model: str, trials: Mapping[str, Trial], commits: Mapping[str, str]) -> None:
        assert model == "cnn2_small"
        assert trials.keys() <= commits.keys()
        self.shown = list(trials)


@pytest.fixture
def dvc(params: Params, monkeypatch: pytest.MonkeyPatch) -> Queue:
    fake = Queue()
    monkeypatch.setattr(command, "load_params", lambda: params)
    monkeypatch.setattr(
        command, "name_trials", lambda _, model, trials: {f"{model}-{n}": t for n, t in enumerate(trials)}
    )
    monkeypatch.setattr(queue, "require_in_git", lambda _: None)
    monkeypatch.setattr(queue, "reproduce", lambda _: None)
    monkeypatch.setattr(queue, "finished", lambda: dict(fake.done))
    monkeypatch.setattr(queue, "unfinished", lambda: dict(fake.waiting))
    monkeypatch.setattr(queue, "put", fake.put)
    monkeypatch.setattr(queue, "run_all", fake.run_all)
    monkeypatch.setattr(results, "show", fake.show)
    monkeypatch.setattr("sys.argv", ["trials", "cnn2_small", "batch_size=16,32,64", "--jobs", "2"])
    return fake


def names(*numbers: int) -> list[str]:
    return [f"cnn2_small-{number}" for number in numbers]


def test_all_are_run_and_shown(dvc: Queue) -> None:
    command.main()
    assert dvc.put_names == dvc.shown == names(0, 1, 2)
    assert dvc.jobs == [2]


def test_what_is_known_is_shown_and_not_run_again(dvc: Queue) -> None:
    command.main()
    dvc.put_names.clear()
    command.main()
    assert dvc.put_names == []
    assert dvc.jobs == [2]
    assert dvc.shown == names(0, 1, 2)


def test_what_an_interrupt_left_in_the_queue_is_run_and_not_queued_twice(dvc: Queue) -> None:
    dvc.done = {"cnn2_small-0": "commit", "another": "commit"}
    dvc.waiting = {"cnn2_small-1": "Queued"}
    command.main()
    assert dvc.put_names == names(2)
    assert dvc.shown == names(0, 1, 2)


def test_failed_trials_are_one_line_after_the_others_were_shown(dvc: Queue) -> None:
    dvc.failing = set(names(1))
    with pytest.raises(FerflowError, match=r"^1 of 3 trials failed \(cnn2_small-1\): `dvc queue logs "):
        command.main()
    assert dvc.shown == names(0, 2)


def test_where_all_failed_there_is_no_table(dvc: Queue) -> None:
    dvc.failing = set(names(0, 1, 2))
    with pytest.raises(FerflowError, match=r"^3 of 3 trials failed"):
        command.main()
    assert dvc.shown == []


def test_a_mistake_is_found_before_dvc_is_asked(dvc: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "reproduce", lambda _: pytest.fail("the pipeline was run"))
    monkeypatch.setattr("sys.argv", ["trials", "cnn2_small", "batch_size=0"])
    with pytest.raises(FerflowError, match="batch_size"):
        command.main()
    assert dvc.put_names == []
