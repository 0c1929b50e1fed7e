from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import FileInfo, LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.artifact.artifact_repo import ArtifactRepository

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
    name = two.client.get_logged_model(model_id).name
    for uri in (f"runs:/{version.run_id}/{name}", version.source, files_of(two, "2").as_uri()):
        assert stored_models.at_address(uri).file == expected
    assert stored_models.of_run(version.run_id).details["run"] == version.run_id


def test_of_several_models_of_a_run_none_is_guessed(two: Store) -> None:
    models = [two.client.get_model_version(NAME, number).source for number in ("1", "2")]
    run = two.client.create_run(two.experiment_id)
    outputs = [LoggedModelOutput(model.removeprefix("models:/"), step=0) for model in models]
    two.client.log_outputs(run.info.run_id, outputs)
    with pytest.raises(FerflowError, match=r"say which model of run .* of first, second"):
        stored_models.of_run(run.info.run_id)
    assert stored_models.at_address(f"runs:/{run.info.run_id}/first").file.read_text() == "first"
    with pytest.raises(FerflowError, match="say which model"):
        stored_models.at_address(f"runs:/{run.info.run_id}/third")


def test_a_run_without_a_model_says_what_has_one(store: Store) -> None:
    run = store.client.create_run(store.experiment_id, tags={"model": "cnn4"})
    with pytest.raises(FerflowError, match=r"no model was logged in run .* cnn4 is a file below models"):
        stored_models.of_run(run.info.run_id)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("find", "problem"),
    [
        (
            lambda: stored_models.by_alias(NAME, "champoin"),
            "has no alias 'champoin'; it has version 2 .*champion is version 2, previous is version 1",
        ),
        (lambda: stored_models.by_number(NAME, "9" * 40), "has no version 999.*it has version 2"),
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


class FarStore(ArtifactRepository):  # type: ignore[misc]
    """An artifact store that is not on this machine; MLflow's own code fetches from it."""

    folder: Path
    fetched: int
    broken: bool

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        root = self._root()
        inside = root / (path or "")
        if not inside.is_dir():
            return []
        return [
            FileInfo(str(each.relative_to(root)), each.is_dir(), each.stat().st_size)
            for each in inside.iterdir()
        ]

    def _root(self) -> Path:
        return self.folder / str(self.artifact_uri).removeprefix("far://bucket").strip("/")

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        if self.broken and remote_file_path.endswith(".keras"):
            raise MlflowException("connection lost")
        type(self).fetched += 1
        shutil.copy(self._root() / remote_file_path, local_path)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        raise NotImplementedError

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        raise NotImplementedError


@pytest.fixture
def far(two: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[FarStore]:
    """The files of version 2, at far://bucket/models/m-1."""
    shutil.copytree(files_of(two, "2"), tmp_path / "bucket" / "models" / "m-1")
    monkeypatch.setenv("FERFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(artifact_repository_registry._artifact_repository_registry._registry, "far", FarStore)
    FarStore.folder, FarStore.fetched, FarStore.broken = tmp_path / "bucket", 0, False
    return FarStore


def test_a_model_that_lies_far_away_is_fetched_once_and_whole(
    far: type[FarStore], two: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        type(two.client), "get_model_version_download_uri", lambda *_: "far://bucket/models/m-1"
    )
    far.broken = True
    with pytest.raises(FerflowError, match="failures occurred while downloading"):
        stored_models.by_alias(NAME, "champion")
    assert [path.name for path in (tmp_path / "cache").rglob("*")] == ["models"]
    far.broken = False
    for _ in range(2):
        assert stored_models.by_alias(NAME, "champion").file.read_text() == "second"
    files = [path for path in far.folder.rglob("*") if path.is_file()]
    # Of the broken attempt some were fetched as well.
    assert len(files) <= far.fetched < 2 * len(files)


def test_what_a_user_keeps_at_an_address_of_his_own_is_fetched_each_time(far: type[FarStore]) -> None:
    for content in ("one", "another"):
        (far.folder / "models" / "m-1" / "artifacts" / "second.keras").write_text(content)
        assert stored_models.at_address("far://bucket/models/m-1").file.read_text() == content


@pytest.mark.usefixtures("two")
def test_versions_and_the_champion_are_listed() -> None:
    assert stored_models.versions(NAME) == {"2": "version 2 (second)", "1": "version 1 (first)"}
    assert stored_models.champion_number(NAME) == "2"
    assert stored_models.champion_number("other") is None
