"""What the champion answered when it was chosen, compared with a candidate on today's validation images."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, PERMISSION_DENIED

from ferflow.errors import FerflowError
from ferflow.files import read_table, write_parquet
from ferflow.params import PromotionParams
from ferflow.tracking import registry
from ferflow.tracking.by_hand import promote_by_hand
from ferflow.tracking.candidate import ValidationSplit
from ferflow.tracking.logged_model import ANSWERS
from ferflow.tracking.store import Store

from .registering import (
    IMPROVEMENT,
    NAME,
    SAMPLES,
    candidate,
    files_of,
    held,
    log_without_keras,
    number_of_versions,
    put_forward,
    validation,
)


@pytest.fixture(autouse=True)
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "log_candidate", log_without_keras)


def _other_pixels(number: int) -> ValidationSplit:
    """The same split, in which the first so many images show something else."""
    split = validation()
    sha256 = [f"{'f' * 8}{old[8:]}" if i < number else old for i, old in enumerate(split.samples["sha256"])]
    return replace(split, samples=split.samples.assign(sha256=sha256))


@pytest.mark.parametrize(
    ("split", "why"),
    [
        (validation(first=1000), "it was chosen on 0 of the 70 validation images"),
        (validation(first=40), "it was chosen on 30 of the 70 validation images"),
        (_other_pixels(30), "it was chosen on 40 of the 70 validation images"),
    ],
)
def test_a_champion_that_knows_too_few_of_todays_images_stays(
    store: Store, tmp_path: Path, split: ValidationSplit, why: str
) -> None:
    put_forward(store, candidate(tmp_path, "first", 21))
    silent = PromotionParams(rules=IMPROVEMENT.rules, challenger=False)
    result = str(put_forward(store, candidate(tmp_path, "second", 70, split), silent))
    # Nobody has lost: it is registered whatever the params say of losers, so that a person can choose.
    assert f"version 2 @challenger: version 1 (first) cannot be compared: {why}" in result
    assert "; `make promote VERSION=2` chooses it by hand; version 1 stays champion" in result
    assert held(store) == {"champion": "1", "challenger": "2"}
    promote_by_hand(store, NAME, "2")
    assert held(store) == {"champion": "2", "previous": "1"}


def test_a_changed_split_compares_on_what_both_were_chosen_on(store: Store, tmp_path: Path) -> None:
    # Of the 50 images that stay the champion is right about 20, the candidate about 25; of all 70 of its own
    # each, it is the other way round.
    put_forward(store, candidate(tmp_path, "first", 40))
    split = validation(first=20)
    better = put_forward(store, candidate(tmp_path, "second", 25, split))
    assert better.decision.promoted
    assert better.decision.reason.endswith(", on the 50 of 70 images that both were chosen on")


def test_todays_labels_count(store: Store, tmp_path: Path) -> None:
    put_forward(store, candidate(tmp_path, "first", 70))
    # Somebody has corrected the labels, and of the candidate's answers more agree with them.
    split = validation()
    corrected = ["happy" if label == "sad" else label for label in split.samples["label"]]
    split = replace(split, samples=split.samples.assign(label=corrected))
    assert put_forward(store, candidate(tmp_path, "second", 70, split)).decision.promoted


def _spoil(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda file: write_parquet(file, change(read_table(file)))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (Path.unlink, "no answers were kept with it"),
        (lambda file: file.write_bytes(b"PAR1"), "its kept answers cannot be read"),
        (_spoil(lambda table: table.drop(columns="sha256")), "its kept answers are not of this form"),
        (_spoil(lambda table: table.iloc[[0, *range(SAMPLES)]]), "its kept answers are not of this form"),
        (_spoil(lambda table: table.assign(predicted="contempt")), "its answers have other classes"),
    ],
)
def test_a_champion_without_answers_stays(
    store: Store, tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    put_forward(store, candidate(tmp_path, "first", 21))
    spoil(files_of(store, "1") / "artifacts" / ANSWERS)
    result = put_forward(store, candidate(tmp_path, "second", 70))
    assert f"version 1 (first) cannot be compared: {why}" in str(result)
    assert held(store) == {"champion": "1", "challenger": "2"}


def test_a_champion_that_takes_other_images_is_replaced(store: Store, tmp_path: Path) -> None:
    put_forward(store, candidate(tmp_path, "first", 70))
    result = put_forward(store, candidate(tmp_path, "second", 7, validation(side=5)))
    assert "version 1 (first) cannot be used: it takes images of 4x4x1, not of 5x5x1" in str(result)
    assert held(store) == {"champion": "2", "previous": "1"}


@pytest.mark.parametrize("lost", ["MLmodel", "artifacts/first.keras"])
def test_a_champion_that_is_lost_is_replaced(store: Store, tmp_path: Path, lost: str) -> None:
    put_forward(store, candidate(tmp_path, "first", 70))
    (files_of(store, "1") / lost).unlink()
    result = put_forward(store, candidate(tmp_path, "second", 7))
    assert "version 1 (first) cannot be used: its files are gone" in str(result)
    assert held(store) == {"champion": "2", "previous": "1"}


@pytest.mark.parametrize("function", ["list_artifacts", "download_artifacts"])
def test_a_store_that_cannot_be_read_has_lost_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    put_forward(store, candidate(tmp_path, "first", 21))
    for error in (
        MlflowException("no answer", error_code=INTERNAL_ERROR),
        MlflowException("403", error_code=PERMISSION_DENIED),
        TimeoutError("no answer"),
        MemoryError(),
        RuntimeError("a client of some artifact store's: https://user:secret@host"),
    ):
        monkeypatch.setattr(mlflow.artifacts, function, Mock(side_effect=error))
        with pytest.raises(FerflowError, match="does not work") as refusal:
            put_forward(store, candidate(tmp_path, "second", 70))
        assert "secret" not in str(refusal.value)
    if function == "list_artifacts":
        with pytest.raises(FerflowError, match="does not work"):
            put_forward(store, candidate(tmp_path, "first", 21))
        with pytest.raises(FerflowError, match="does not work"):
            promote_by_hand(store, NAME, "1")
    assert (held(store), number_of_versions(store)) == ({"champion": "1"}, 1)


def test_a_folder_that_cannot_be_looked_into_is_not_empty(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network folder that hangs: Python says that it is no folder."""
    put_forward(store, candidate(tmp_path, "first", 21))
    files, stat = files_of(store, "1"), os.stat

    def refuse(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if str(path).startswith(str(files)):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(FerflowError, match="Permission denied"):
        put_forward(store, candidate(tmp_path, "second", 70))
    monkeypatch.undo()
    assert (held(store), number_of_versions(store)) == ({"champion": "1"}, 1)
