"""What a run of the pipeline ends with: the leaderboard, the champion, and where to look next."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferflow.dvc_command import run_dvc
from ferflow.errors import FerflowError
from ferflow.files import read_json, read_table
from ferflow.params import load_params
from ferflow.stage import run

if TYPE_CHECKING:
    from ferflow.tracking.store import Store


def main() -> None:
    """Print the summary of the chosen data set; bring MLflow up to date first if it lags behind.

    DVC restores a stage from its cache without running it, and a tracking store can be deleted or
    changed for another: then there are results that MLflow has not seen, and the register stage is
    run once more.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", type=Path, help="folder with the reports of all data sets")
    arguments = parser.parse_args()

    params = load_params()
    reports = arguments.reports / params.dataset / params.budget
    leaderboard, winner = read_table(reports / "leaderboard.csv"), read_json(reports / "champion.json")

    from ferflow.evaluation.leaderboard import as_text
    from ferflow.tracking.registry import registered_champion
    from ferflow.tracking.store import connect

    store = connect(f"ferflow-{params.dataset}")
    version = registered_champion(store, winner["registered_model"])
    # Of the same training there may be several models: one for each choice of views at evaluation.
    identity = ("fingerprint", "model_sha256")
    if version is None or any(version.tags.get(key) != winner.get(key) for key in identity):
        run_dvc("repro", "--single-item", "--force", "register")
        version = registered_champion(store, winner["registered_model"])
    if version is None:
        raise FerflowError("the champion is not in the MLflow registry: run `make register`.")
    closing = _closing_words(winner, version.version, reports / "index.html", store)
    print(f"\n{as_text(leaderboard)}\n\n{closing}")


def where_to_compare(store: Store) -> str:
    """Return how to come to the page of MLflow that has the runs of an experiment."""
    # Without this word MLflow opens its page for language models, where there are no runs.
    page = f"#/experiments/{store.experiment_id}?workflowType=machine_learning"
    local = store.uri.startswith("sqlite")
    return f"make ui, then http://127.0.0.1:5000/{page}" if local else f"{store.uri.rstrip('/')}/{page}"


def _closing_words(winner: dict[str, Any], version: str, page: Path, store: Store) -> str:
    name = winner["registered_model"]
    return (
        f"champion   {winner['model']}: version {version} of '{name}', alias 'champion'\n"
        f"look at    {page}\n"
        f"load it    mlflow.pyfunc.load_model('models:/{name}@champion')\n"
        f"compare    {where_to_compare(store)}"
    )


if __name__ == "__main__":
    run(main)
