"""Try every combination of some values of a recipe: `python -m ferflow.trials cnn4 batch_size=32,64`.

Each combination is an experiment of DVC's queue, named like its MLflow run. The work tree stays as it is,
and what was tried before is not tried again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from ferflow.errors import FerflowError
from ferflow.params import load_params
from ferflow.stage import run
from ferflow.trials import queue, results
from ferflow.trials.grid import Trial, grid
from ferflow.trials.names import name_trials


def main() -> None:
    """Queue what is new, run the queue, show all trials side by side.

    Raises:
        FerflowError: A setting is wrong, or a trial failed; those that did not are shown all the same.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="its name under `models` in params.yaml")
    parser.add_argument(
        "settings", nargs="+", metavar="KEY=VALUE,...", help="a key of its recipe, and the values to try"
    )
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time (default: 1)")
    arguments = parser.parse_args()

    params = load_params()
    trials = grid(params, arguments.model, arguments.settings)
    queue.require_in_git(["src", "stages", "params.yaml", "dvc.yaml"])
    # The data belong to a trial's name, and each trial would otherwise make them for itself.
    queue.reproduce("validate")
    named = name_trials(params, arguments.model, trials)
    _run(arguments.model, named, arguments.jobs)

    commits = queue.finished()
    done = {name: trial for name, trial in named.items() if name in commits}
    if done:
        results.show(params, arguments.model, done, commits)
    _require_all(named, done)


def _run(model: str, named: Mapping[str, Trial], jobs: int) -> None:
    finished, waiting = set(queue.finished()), set(queue.unfinished())
    new = {name: trial for name, trial in named.items() if name not in finished | waiting}
    known = len(named.keys() & finished)
    print(f"trials: {len(named)} of {model}, of which {known} are known already", flush=True)
    for name, trial in new.items():
        queue.put(name, f"evaluate@{model}", trial.overrides)
        print(f"queued {name}: {trial}", flush=True)
    if new or waiting & named.keys():
        queue.run_all(jobs)


def _require_all(named: Mapping[str, Trial], done: Mapping[str, Trial]) -> None:
    failed: Sequence[str] = [name for name in named if name not in done]
    if failed:
        sys.stdout.flush()
        first = failed[0]
        raise FerflowError(
            f"{len(failed)} of {len(named)} trials failed ({', '.join(failed)}): "
            f"`dvc queue logs {first}` says why; the next `make trials` tries them again."
        )


if __name__ == "__main__":
    run(main)
