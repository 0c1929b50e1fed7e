from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ferflow.params import PromotionParams
from ferflow.tracking import registry
from ferflow.tracking.by_hand import promote_by_hand, roll_back
from ferflow.tracking.logged_model import identity_of
from ferflow.tracking.standing import Standing, standing
from ferflow.tracking.store import Store

from .registering import IMPROVEMENT, NAME, candidate, log_without_keras, put_forward


@pytest.fixture(autouse=True)
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "log_candidate", log_without_keras)


def test_what_a_run_ends_with(store: Store, tmp_path: Path) -> None:
    def found(name: str, right: int) -> Standing:
        winner = {"model": name, "registered_model": NAME, **identity_of(candidate(tmp_path, name, right))}
        return standing(store, winner)

    assert found("first", 35) == Standing(None, None, False)
    put_forward(store, candidate(tmp_path, "first", 35))
    champion = f"first: version 1 of '{NAME}'"
    assert found("first", 35) == Standing(champion, None, True)
    # A queued experiment's model was never put forward.
    assert found("worse", 21) == Standing(champion, None, False)
    put_forward(store, candidate(tmp_path, "worse", 21))
    worse = found("worse", 21)
    assert worse.champion == champion and worse.was_put_forward
    start = f"worse: version 2 of '{NAME}', alias 'challenger': val macro-F1 0.3"
    assert worse.best is not None and worse.best.startswith(start)

    put_forward(store, candidate(tmp_path, "best", 49))
    assert found("first", 35).best == f"first: version 1 of '{NAME}', alias 'previous'"
    roll_back(store, NAME)
    assert found("best", 49).best == f"best: version 3 of '{NAME}': it was replaced by hand"
    promote_by_hand(store, NAME, "3")
    assert found("best", 49) == Standing(f"best: version 3 of '{NAME}'", None, True)


def test_a_best_model_without_a_version_is_known_by_its_run(store: Store, tmp_path: Path) -> None:
    """Else the end of each run would register it again, and never say that it lost."""

    def found(name: str, right: int, sha256: str | None = None) -> Standing:
        winner = {"model": name, "registered_model": NAME, **identity_of(candidate(tmp_path, name, right))}
        return standing(store, winner | ({"model_sha256": sha256} if sha256 else {}))

    silent = PromotionParams(rules=IMPROVEMENT.rules, challenger=False)
    put_forward(store, candidate(tmp_path, "first", 35), silent)
    assert not found("worse", 21).was_put_forward
    put_forward(store, candidate(tmp_path, "worse", 21), silent)
    worse = found("worse", 21)
    assert worse.was_put_forward
    assert worse.best and worse.best.startswith(f"worse, which was not put into '{NAME}': val macro-F1 0.3")
    # Another choice of views is another model of the same run.
    assert not found("worse", 21, sha256="a" * 64).was_put_forward
    # A former champion has a version, and says why it does not come back.
    put_forward(store, candidate(tmp_path, "best", 49), silent)
    assert str(put_forward(store, candidate(tmp_path, "first", 35), silent)).startswith(
        f"first is {NAME} version 1: val macro-F1 0.5"
    )
    best = found("first", 35).best
    assert best and best.startswith(f"first: version 1 of '{NAME}', alias 'previous': val macro-F1 0.5")
    # As does one whose weights a person took the place from.
    roll_back(store, NAME)
    again = replace(candidate(tmp_path, "best", 49), fingerprint="trained again")
    put_forward(store, again, silent)
    winner = {"model": "best", "registered_model": NAME, **identity_of(again)}
    best = standing(store, winner).best
    assert best and best.startswith(f"best, which was not put into '{NAME}': version 2 was replaced by hand")
