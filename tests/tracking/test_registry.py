from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from ferflow.params import PromotionParams
from ferflow.params.promotion import COSTS, RuleParams
from ferflow.tracking import logged_model, registry
from ferflow.tracking.by_hand import promote_by_hand, roll_back
from ferflow.tracking.candidate import Candidate
from ferflow.tracking.store import Store
from ferflow.tracking.versions import version_with

from .registering import (
    IMPROVEMENT,
    NAME,
    candidate,
    files_of,
    held,
    log_without_keras,
    number_of_versions,
    put_forward,
)


@pytest.fixture(autouse=True)
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "log_candidate", log_without_keras)


def _tags(store: Store, number: str) -> dict[str, str]:
    tags: dict[str, str] = store.client.get_model_version(NAME, number).tags
    return tags


def test_aliases_follow_the_candidates(store: Store, tmp_path: Path) -> None:
    assert version_with(store.client, NAME, "champion") is None
    first = put_forward(store, candidate(tmp_path, "first", 35))
    assert str(first) == f"first is {NAME} version 1 @champion: there was no champion"
    assert held(store) == {"champion": "1"}
    assert _tags(store, "1")["git_commit"] == "c" * 40

    worse = put_forward(store, candidate(tmp_path, "worse", 21))
    assert held(store) == {"champion": "1", "challenger": "2"}
    assert str(worse).startswith(f"worse is {NAME} version 2 @challenger: val macro-F1 0.3")
    assert str(worse).endswith("; version 1 stays champion")
    assert _tags(store, "2")["promotion.result"] == "not promoted"
    assert "of version 1 (first), -0.2" in _tags(store, "2")["promotion.reason"]

    better = put_forward(store, candidate(tmp_path, "better", 42))
    assert better.decision.promoted
    assert held(store) == {"champion": "3", "previous": "1", "challenger": "2"}
    tags = _tags(store, "3")
    assert tags["promotion.replaced_version"] == "1"
    assert tags["promotion.rule"] == "minimum_improvement 0"
    assert tags["promotion.val_macro_f1_difference"].startswith("+0.1")
    # A tie, and the champion itself: nothing moves, and what is known is not made again.
    before = held(store)
    assert not put_forward(store, candidate(tmp_path, "tie", 42)).decision.promoted
    assert held(store) == before | {"challenger": "4"}
    for _ in range(2):
        assert str(put_forward(store, candidate(tmp_path, "better", 42))).endswith("the champion already")
    assert number_of_versions(store) == 4
    assert "* `previous`" in store.client.get_registered_model(NAME).description


def test_a_challenger_that_wins_is_no_challenger_any_more(store: Store, tmp_path: Path) -> None:
    put_forward(store, candidate(tmp_path, "first", 35))
    strict = PromotionParams(rules=[RuleParams(minimum_improvement=0.5)], challenger=True)
    put_forward(store, candidate(tmp_path, "second", 42), strict)
    assert held(store) == {"champion": "1", "challenger": "2"}
    put_forward(store, candidate(tmp_path, "second", 42))
    assert held(store) == {"champion": "2", "previous": "1"}
    assert _tags(store, "2")["promotion.result"] == "promoted"


def test_a_loser_gets_nothing_where_params_say_so(store: Store, tmp_path: Path) -> None:
    silent = PromotionParams(rules=IMPROVEMENT.rules, challenger=False)
    put_forward(store, candidate(tmp_path, "first", 35), silent)
    loser = put_forward(store, candidate(tmp_path, "worse", 21), silent)
    assert loser.version is None and str(loser).startswith(f"worse is not put into {NAME}: val macro-F1")
    assert (held(store), number_of_versions(store)) == ({"champion": "1"}, 1)


def test_a_cheaper_model_wins_by_the_costs_of_the_registered_one(store: Store, tmp_path: Path) -> None:
    rule = RuleParams.model_validate({"not_worse_and_cheaper": {"times": 2.0, "cost": "flops"}})
    cheaper = PromotionParams(rules=[rule], challenger=True)
    flops = COSTS["flops"]
    put_forward(store, candidate(tmp_path, "large", 36, costs={flops: 100.0}))
    assert not put_forward(
        store, candidate(tmp_path, "half", 35, costs={flops: 51.0}), cheaper
    ).decision.promoted
    assert put_forward(
        store, candidate(tmp_path, "small", 35, costs={flops: 50.0}), cheaper
    ).decision.promoted
    assert _tags(store, held(store)["champion"])["promotion.rule"] == "not_worse_and_cheaper 2 times by flops"


def test_the_same_model_packaged_anew_replaces_itself(store: Store, tmp_path: Path) -> None:
    put_forward(store, candidate(tmp_path, "first", 35))
    anew = candidate(tmp_path, "first", 35, labels=("a", "b"))
    assert "packaged anew" in put_forward(store, anew).decision.reason
    # It is not before itself.
    assert held(store) == {"champion": "2"}
    # A person goes back to the earlier packaging: no registration reverts it.
    promote_by_hand(store, NAME, "1")
    assert held(store) == {"champion": "1"}
    assert not put_forward(store, anew).decision.promoted
    assert held(store) == {"champion": "1", "challenger": "2"}


def test_a_champion_whose_files_are_gone_is_made_again(store: Store, tmp_path: Path) -> None:
    put_forward(store, candidate(tmp_path, "first", 35))
    for number, lost in (("1", "MLmodel"), ("2", "artifacts/first.keras")):
        (files_of(store, number) / lost).unlink()
        put_forward(store, candidate(tmp_path, "first", 35))
        assert held(store) == {"champion": str(int(number) + 1)}


def test_two_environments_do_not_push_each_other_out(store: Store, tmp_path: Path) -> None:
    put_forward(store, candidate(tmp_path, "before", 21))
    ours, theirs = (candidate(tmp_path, "first", 35, labels=labels) for labels in (("a",), ("b",)))
    put_forward(store, ours)
    put_forward(store, theirs)
    # What `make rollback` goes back to is the model before, not the same one.
    assert held(store) == {"champion": "3", "previous": "1"}
    assert str(put_forward(store, ours)) == f"first is {NAME} version 3 @champion: it is the champion already"
    assert held(store) == {"champion": "3", "previous": "1"}
    roll_back(store, NAME)
    for what in (ours, theirs):
        assert not put_forward(store, what).decision.promoted
    assert held(store)["champion"] == "1"


def test_a_rollback_is_not_undone_by_a_training_that_ends_with_the_same_weights(
    store: Store, tmp_path: Path
) -> None:
    put_forward(store, candidate(tmp_path, "first", 21))
    second = candidate(tmp_path, "second", 35)
    put_forward(store, second)
    roll_back(store, NAME)
    again = replace(second, fingerprint="trained again")
    assert "version 2 was replaced by hand" in put_forward(store, again).decision.reason
    assert held(store) == {"champion": "1", "challenger": "3"}
    promote_by_hand(store, NAME, "3")
    assert "promotion.rolled_back" not in _tags(store, "2")


def test_a_former_champion_keeps_why_it_was_promoted(store: Store, tmp_path: Path) -> None:
    put_forward(store, candidate(tmp_path, "first", 21))
    put_forward(store, candidate(tmp_path, "second", 35))
    put_forward(store, candidate(tmp_path, "first", 21))
    tags = _tags(store, "1")
    assert (tags["promotion.result"], tags["promotion.reason"]) == ("promoted", "there was no champion")
    assert tags["promotion.not_promoted_again"].startswith("val macro-F1 0.3")
    assert held(store) == {"champion": "2", "previous": "1", "challenger": "1"}


@pytest.mark.parametrize(
    ("found", "stays"),
    [("what our team says", True), ("", False), ("A model of facial expressions: uint8 images in", False)],
)
def test_what_people_wrote_of_the_model_stays(store: Store, tmp_path: Path, found: str, stays: bool) -> None:
    found = f"{found}, one probability for each emotion out. Old." if found.startswith("A model") else found
    store.client.create_registered_model(NAME, description=found)
    put_forward(store, candidate(tmp_path, "first", 21))
    assert (store.client.get_registered_model(NAME).description == found) is stays


@pytest.mark.parametrize("place", ["set_logged_model_tags", "create_model_version"])
def test_an_interrupt_leaves_no_model_that_no_version_has(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(mlflow.MlflowClient, place, interrupt)
        put_forward(store, candidate(tmp_path, "first", 21))
    logged = len(store.client.search_logged_models([store.experiment_id]))
    assert logged == number_of_versions(store) == (1 if place == "set_logged_model_tags" else 0)
    # And the next one completes it.
    put_forward(store, candidate(tmp_path, "first", 21))
    assert (held(store), number_of_versions(store)) == ({"champion": "1"}, 1)


def test_an_interrupt_leaves_no_half_a_model(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(logged_model, "_log_files", interrupt)
    run = store.client.create_run(store.experiment_id)
    with pytest.raises(KeyboardInterrupt):
        logged_model.log_candidate(store, run, candidate(tmp_path, "first", 21))
    assert not store.client.search_logged_models([store.experiment_id])


def test_who_was_faster_is_judged_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process registers a better model, or the same one, while this one logs its own."""
    put_forward(store, candidate(tmp_path, "first", 21))
    others = [candidate(tmp_path, "best", 56), candidate(tmp_path, "second", 35)]

    def log_slowly(store: Store, run: mlflow.entities.Run, what: Candidate) -> str:
        model_id = log_without_keras(store, run, what)
        monkeypatch.setattr(registry, "log_candidate", log_without_keras)
        for other in others:
            put_forward(store, other)
        return model_id

    monkeypatch.setattr(registry, "log_candidate", log_slowly)
    result = put_forward(store, candidate(tmp_path, "second", 35))
    assert not result.decision.promoted and "of version 2 (best)" in result.decision.reason
    assert held(store) == {"champion": "2", "previous": "1", "challenger": "3"}
    assert number_of_versions(store) == 3
    # What was logged in vain is gone.
    assert len(store.client.search_logged_models([store.experiment_id])) == 3


def test_rolled_back_is_not_promoted_again(store: Store, tmp_path: Path) -> None:
    for name, right in (("first", 21), ("second", 35), ("third", 49)):
        put_forward(store, candidate(tmp_path, name, right))
    assert held(store) == {"champion": "3", "previous": "2"}
    line = roll_back(store, NAME)
    assert line == (
        f"version 2 (second) of '{NAME}' is champion instead of version 3 (third); "
        "'previous' is version 1 (first)"
    )
    assert held(store) == {"champion": "2", "previous": "1"}
    result = put_forward(store, candidate(tmp_path, "third", 49))
    assert "`make promote VERSION=3`" in str(result)
    assert held(store) == {"champion": "2", "previous": "1", "challenger": "3"}
    # Another model may take the place.
    assert put_forward(store, candidate(tmp_path, "fourth", 42)).decision.promoted
    assert held(store) == {"champion": "4", "previous": "2", "challenger": "3"}
    # By hand it comes back, and counts like any other again.
    promote_by_hand(store, NAME, "3")
    assert held(store) == {"champion": "3", "previous": "4"}
    assert "promotion.rolled_back" not in _tags(store, "3")
