"""What a run of the pipeline ends with: the leaderboard, the champion, and where to look next."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferflow.dvc_command import run_dvc
from ferflow.errors import FerflowError
from ferflow.files import read_json, read_table
from ferflow.git_command import git_text
from ferflow.params import load_params
from ferflow.stage import run

if TYPE_CHECKING:
    from ferflow.tracking.standing import Standing
    from ferflow.tracking.store import Store


def main() -> None:
    """Print the summary of the chosen data set; bring MLflow up to date first if it lags behind.

    A tracking store can be deleted or changed for another, and a queued experiment moves no alias: then
    there is no champion, or a best model that was never put forward, and the register stage is run once more.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", type=Path, help="folder with the reports of all data sets")
    arguments = parser.parse_args()

    params = load_params()
    reports = arguments.reports / params.dataset / params.budget
    leaderboard, winner = read_table(reports / "leaderboard.csv"), read_json(reports / "champion.json")

    from ferflow.evaluation.leaderboard import as_text
    from ferflow.tracking.standing import standing
    from ferflow.tracking.store import connect

    store = connect(f"ferflow-{params.dataset}")
    found = standing(store, winner)
    if found.champion is None or not found.was_put_forward:
        run_dvc("repro", "--single-item", "--force", "register")
        found = standing(store, winner)
    if found.champion is None:
        raise FerflowError(
            f"'{winner['registered_model']}' has no champion in the MLflow registry: "
            "`make promote VERSION=<number>` chooses one."
        )
    closing = _closing_words(winner, found, reports / "index.html", store)
    if git_text("status", "--porcelain", "--", "dvc.lock", "params.yaml", str(reports)):
        closing += (
            "\ncommit     git add --all && git commit: what is tried next is compared with this, "
            "and can go back to it"
        )
    print(f"\n{as_text(leaderboard)}\n\n{closing}")


def where_to_compare(store: Store) -> str:
    """Return how to come to the page of MLflow that has the runs of an experiment."""
    from ferflow.tracking.saved_view import view_address

    if store.uri.startswith("http"):
        return view_address(store.uri, store.experiment_id)
    return f"make ui, then {view_address('http://127.0.0.1:5000', store.experiment_id)}"


def _closing_words(winner: dict[str, Any], found: Standing, page: Path, store: Store) -> str:
    best = f"           (this run's best is {found.best})\n" if found.best else ""
    return (
        f"champion   {found.champion}, alias 'champion'\n"
        f"{best}"
        f"look at    {page}\n"
        "try it     make demo, then http://127.0.0.1:7860, or: .venv/bin/ferflow predict photo.jpg --faces\n"
        f"load it    mlflow.pyfunc.load_model('models:/{winner['registered_model']}@champion')\n"
        f"compare    {where_to_compare(store)}"
    )


if __name__ == "__main__":
    run(main)
