"""A team's servers: PostgreSQL, an S3 store, MLflow; the pipeline in two clones, and a server that dies."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferflow.labels import EMOTIONS
from team.conftest import Team
from team.processes import is_open
from team.secrets_search import files_with_secrets, found_secrets
from team.servers import DATABASES, DVC_BUCKET, MLFLOW_BUCKET

pytestmark = pytest.mark.slow

STORE = """
import json, sys, mlflow
experiment, registered_model = sys.argv[1:]
client = mlflow.MlflowClient()
runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
champion = client.get_model_version_by_alias(registered_model, "champion")
print(json.dumps({
    "runs": {
        run.info.run_id: {
            "model": run.data.tags["model"], "status": run.info.status,
            "fingerprint": run.data.tags["fingerprint"],
            "params": len(run.data.params), "metrics": run.data.metrics,
            "epochs": len(client.get_metric_history(run.info.run_id, "epoch/val_loss")),
            "artifacts": [file.path for file in client.list_artifacts(run.info.run_id, "report")],
        }
        for run in runs
    },
    "versions": len(client.search_model_versions(f"name='{registered_model}'")),
    "champion": [champion.tags["model"], champion.run_id],
}))
"""

PREDICT = """
import json, sys, mlflow, numpy as np
registered_model, images = sys.argv[1:]
model = mlflow.pyfunc.load_model(f"models:/{registered_model}@champion")
model.predict(np.load(images)).to_parquet("predicted.parquet")
"""


def store(team: Team) -> dict[str, Any]:
    plan = team.plan
    answer: dict[str, Any] = team.first.ask(STORE, f"ferflow-{plan.dataset}", plan.registered_model)
    return answer


def best_of(team: Team) -> str:
    leaderboard = team.first.folder / "reports" / team.plan.dataset / "quick" / "leaderboard.csv"
    return str(pd.read_csv(leaderboard)["model"][0])


def test_every_training_has_one_finished_run_with_metrics_and_artifacts(team: Team) -> None:
    found = store(team)
    runs = found["runs"].values()
    assert len(runs) == len({run["fingerprint"] for run in runs}) == team.plan.models
    for run in runs:
        assert run["status"] == "FINISHED"
        assert run["params"] > 5
        assert {"val/macro_f1", "test/accuracy"} <= set(run["metrics"])
        assert {"report/metrics.json", "report/confusion.png"} <= set(run["artifacts"])
    assert found["versions"] == 1
    model, run_id = found["champion"]
    assert (model, found["runs"][run_id]["model"]) == (best_of(team), best_of(team))


def test_artifacts_lie_in_the_bucket_and_nothing_of_mlflow_in_the_clone(team: Team) -> None:
    names = [name for name, _ in team.servers.objects.objects(MLFLOW_BUCKET)]
    assert sum(name.endswith("/report/metrics.json") for name in names) == team.plan.models
    assert any(name.endswith(".keras") for name in names)
    made = {path.name for path in team.first.folder.iterdir()}
    assert not made & {"mlflow.db", "mlruns", "mlartifacts"}


def test_clone_elsewhere_pulls_and_has_nothing_to_do(team: Team) -> None:
    before = store(team)
    lock = (team.second.folder / "dvc.lock").read_bytes()
    team.second.run("dvc", "pull")
    output = team.second.run("dvc", "repro")
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    # Its outputs are in no cache: it reads every key of params.yaml, in a second.
    assert set(ran) <= {"check"}
    assert (team.second.folder / "dvc.lock").read_bytes() == lock
    assert team.second.run("git", "status", "--porcelain") == ""
    assert "Everything is up to date." in team.second.run("dvc", "push")
    assert "alias 'champion'" in team.second.run("python", "-m", "ferflow.summary", "reports")
    assert store(team) == before


def test_champion_answers_in_the_second_clone_without_the_keys_of_the_store(team: Team) -> None:
    data = team.second.folder / "data" / team.plan.dataset
    keyless = dict.fromkeys(team.servers.objects.keys, "")
    team.second.run(
        "python", "-c", PREDICT, team.plan.registered_model, str(data / "images.npy"), changes=keyless
    )
    file = team.second.folder / "predicted.parquet"
    predicted = pd.read_parquet(file)
    file.unlink()
    assert tuple(predicted.columns) == EMOTIONS
    predicted["sample_id"] = pd.read_parquet(data / "samples.parquet")["sample_id"]
    (report,) = (team.second.folder / "reports" / team.plan.dataset / "quick").glob(f"*/{best_of(team)}")
    reported = pd.read_parquet(report / "predictions.parquet")
    # On validation the report of an ensemble is of what was chosen without each sample.
    reported = reported[reported["split"] == "test"]
    both = reported.merge(predicted, on="sample_id", validate="one_to_one")
    assert len(both) == len(reported) > 0
    for emotion in EMOTIONS:
        np.testing.assert_allclose(both[f"p_{emotion}"], both[emotion], atol=1e-5)


@pytest.mark.parametrize("password", ["", "wrong"])
def test_without_the_right_password_register_ends_in_one_line(team: Team, password: str) -> None:
    output = team.first.run(
        "dvc",
        "repro",
        "--force",
        "--single-item",
        "register",
        ok=False,
        changes={"MLFLOW_TRACKING_PASSWORD": password},
    )
    (line,) = (line for line in output.splitlines() if line.startswith("error: "))
    assert f"the MLflow store {team.servers.address} does not work" in line
    assert "Traceback" not in output


def test_without_the_right_key_the_bucket_stays_closed(team: Team) -> None:
    wrong = {"AWS_SECRET_ACCESS_KEY": "x"}
    output = team.second.run("dvc", "status", "--cloud", ok=False, changes=wrong)
    assert "ERROR" in output


def test_training_outlives_the_server_and_is_complete_when_it_is_back(team: Team) -> None:
    before, place, model = store(team), team.second, team.plan.model
    place.set_params(
        **{
            f"models__{model}__recipe__options__dropout": 0.4,
            f"models__{model}__quick__phases__all__epochs": 40,
            f"models__{model}__recipe__early_stopping": None,
        }
    )
    with place.running("dvc", "repro", f"train@{model}") as process:
        _wait_for_an_epoch(team, known=set(before["runs"]))
        team.servers.mlflow.kill()
        output, _ = process.communicate()
    team.outputs.append(output)
    assert process.returncode == 0, output
    assert output.count("warning: MLflow does not answer") == 1

    output = place.run("dvc", "repro", ok=False)
    assert "does not work" in output
    assert "Traceback" not in output
    team.servers.mlflow.start()
    output = place.run("dvc", "repro")
    assert "Running stage 'register'" in output
    assert "Running stage 'train" not in output

    after = store(team)
    (run,) = (run for run in after["runs"].values() if run["model"] == model and run["epochs"] == 40)
    assert run["status"] == "FINISHED"
    assert "report/metrics.json" in run["artifacts"]
    fingerprints = [run["fingerprint"] for run in after["runs"].values()]
    assert len(fingerprints) == len(set(fingerprints))
    assert {run_id: after["runs"][run_id] for run_id in before["runs"]} == before["runs"]


def _wait_for_an_epoch(team: Team, known: set[str], seconds: float = 120) -> None:
    """Wait until MLflow has an epoch of a training that it did not know."""
    name = f"ferflow-{team.plan.dataset}"
    (experiment,) = (
        each["experiment_id"]
        for each in team.servers.ask("2.0/mlflow/experiments/search", max_results=100)["experiments"]
        if each["name"] == name
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = team.servers.ask("2.0/mlflow/runs/search", experiment_ids=[experiment]).get("runs", [])
        for run in found:
            metrics = {metric["key"] for metric in run["data"].get("metrics", [])}
            if run["info"]["run_id"] not in known and "epoch/val_loss" in metrics:
                return
        time.sleep(0.1)
    raise AssertionError("the training logged no epoch")


def test_no_secret_is_anywhere(team: Team) -> None:
    servers, secrets = team.servers, team.servers.secrets
    places = {
        **{f"database {name}": servers.postgres.dump(name) for name in DATABASES},
        **{
            f"{bucket}/{name}": content
            for bucket in (MLFLOW_BUCKET, DVC_BUCKET)
            for name, content in servers.objects.objects(bucket)
        },
        **{f"output {number}": text.encode() for number, text in enumerate(team.outputs)},
        "history of git": team.first.run("git", "log", "--all", "--patch", "--text").encode(),
    }
    # The search sees what there is to be seen.
    assert b"val/macro_f1" in places["database mlflow"]
    assert len(places) > 50
    found = {where: found_secrets(content, secrets) for where, content in places.items()}
    assert {where: names for where, names in found.items() if names} == {}
    for folder in (team.first.folder, team.second.folder, servers.folder):
        assert files_with_secrets(folder, secrets) == {}


def test_stopped_servers_leave_no_port_open(team: Team) -> None:
    ports = team.servers.ports
    assert all(is_open(port) for port in ports)
    team.servers.stop()
    assert not any(is_open(port) for port in ports)
