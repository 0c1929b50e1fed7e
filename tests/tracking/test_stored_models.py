from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException

from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS
from ferflow.tracking import registry, stored_models
from ferflow.tracking.store import Store

from .registering import NAME, candidate, files_of, log_without_keras, put_forward


@pytest.fixture(autouse=True)
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "log_candidate", log_without_keras)


@pytest.fixture
def two(store: Store, tmp_path: Path) -> Store:
    """Two champions, one after the other."""
    for name, right in (("first", 21), ("second", 35)):
        put_forward(store, candidate(tmp_path, name, right))
    return store


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("alias", "number", "model"), [("champion", "2", "second"), ("previous", "1", "first")]
)
def test_a_version_is_found_by_alias_and_by_number_where_it_lies(alias: str, number: str, model: str) -> None:
    by_alias, by_number = stored_models.by_alias(NAME, alias), stored_models.by_number(NAME, number)
    assert by_alias == by_number
    assert by_alias.file.read_text() == model
    assert by_alias.labels == EMOTIONS
    assert by_alias.title == f"{NAME} version {number} ({model})"
    assert by_alias.details["aliases"] == alias
    assert by_alias.details["model"] == model


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("uri", [f"models:/{NAME}@champion", f"models:/{NAME}/2"])
def test_an_address_of_a_version_is_the_version(uri: str) -> None:
    assert stored_models.at_address(uri) == stored_models.by_alias(NAME, "champion")


def test_a_model_is_found_by_its_run_and_by_its_own_address(two: Store) -> None:
    version = two.client.get_model_version_by_alias(NAME, "champion")
    model_id = version.source.removeprefix("models:/")
    two.client.log_outputs(version.run_id, [LoggedModelOutput(model_id, step=0)])
    expected = stored_models.by_alias(NAME, "champion").file
    for uri in (f"runs:/{version.run_id}/model", version.source, files_of(two, "2").as_uri()):
        assert stored_models.at_address(uri).file == expected
    assert stored_models.of_run(version.run_id).details["run"] == version.run_id


def test_a_run_without_a_model_says_what_has_one(store: Store) -> None:
    run = store.client.create_run(store.experiment_id, tags={"model": "cnn4"})
    with pytest.raises(FerflowError, match=r"no model was logged in run .* cnn4 is a file below models"):
        stored_models.of_run(run.info.run_id)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("find", "problem"),
    [
        (lambda: stored_models.by_alias(NAME, "champoin"), "has the alias 'champoin'; there are version 2"),
        (lambda: stored_models.by_number(NAME, "9" * 40), "has the version 999.*there are version 2"),
        (lambda: stored_models.by_alias("other", "champion"), "no model is registered as 'other' yet"),
        (lambda: stored_models.of_run("0" * 32), "there is no run 000"),
        (lambda: stored_models.at_address("models:/m-" + "0" * 32), "there is no model m-000"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(find: Any, problem: str) -> None:
    with pytest.raises(FerflowError, match=problem):
        find()


def test_files_that_are_gone_are_told(two: Store) -> None:
    shutil.rmtree(files_of(two, "2"))
    with pytest.raises(FerflowError, match=r"the files of ferflow-test version 2 \(second\) are gone"):
        stored_models.by_alias(NAME, "champion")


def test_without_a_store_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(FerflowError, match=r"none\.db is missing.*run `make repro`"):
        stored_models.by_alias(NAME, "champion")
    assert not list(tmp_path.iterdir())


def test_a_dead_server_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(FerflowError, match=r"does not work .*then try again\.") as caught:
        stored_models.by_alias(NAME, "champion")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


class FarStore:
    """An artifact store that is not on this machine."""

    def __init__(self) -> None:
        self.fetched = 0
        self.broken = False

    def download_artifacts(self, uri: str, dst_path: str) -> None:
        assert uri == "s3://bucket/model"
        self.fetched += 1
        Path(dst_path, "MLmodel").write_text("flavors: {}")
        if self.broken:
            raise MlflowException("connection lost")
        Path(dst_path, "artifacts").mkdir()
        Path(dst_path, "artifacts", "model.keras").write_text("far")


@pytest.mark.usefixtures("store")
def test_a_model_that_lies_far_away_is_fetched_once_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = FarStore()
    monkeypatch.setenv("FERFLOW_CACHE", str(tmp_path))
    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", far.download_artifacts)
    far.broken = True
    with pytest.raises(FerflowError, match="connection lost"):
        stored_models.at_address("s3://bucket/model")
    assert [path.name for path in tmp_path.rglob("*")] == ["models"]
    far.broken = False
    for _ in range(2):
        assert stored_models.at_address("s3://bucket/model").file.read_text() == "far"
    assert far.fetched == 2


@pytest.mark.usefixtures("two")
def test_versions_and_the_champion_are_listed() -> None:
    assert stored_models.versions(NAME) == {"2": "version 2 (second)", "1": "version 1 (first)"}
    assert stored_models.champion_number(NAME) == "2"
    assert stored_models.champion_number("other") is None
