"""DVC's experiment queue, by its own commands: fill it, run it, see what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from ferflow.dvc_command import run_dvc
from ferflow.errors import FerflowError
from ferflow.git_command import git

_UNFINISHED = ("Queued", "Running")


def finished() -> dict[str, str]:
    """Return the commits of the experiments that started from the present commit, by name."""
    head = _git("rev-parse", "HEAD").strip()
    base = f"refs/exps/{head[:2]}/{head[2:]}/"
    lines = _git("for-each-ref", "--format=%(refname) %(objectname)", base).splitlines()
    return {name.removeprefix(base): commit for name, commit in (line.split() for line in lines)}


def unfinished() -> dict[str, str]:
    """Return "Queued" or "Running" of the experiments that are, by name."""
    status = run_dvc("queue", "status", capture=True)
    rows = [line.split() for line in status.splitlines()]
    return {row[1]: row[-1] for row in rows if len(row) > 2 and row[-1] in _UNFINISHED}


def put(name: str, target: str, overrides: Sequence[str]) -> None:
    """Queue one experiment: the work tree as it is, with some params changed."""
    changes = [word for override in overrides for word in ("--set-param", override)]
    run_dvc("exp", "run", "--queue", "--name", name, *changes, target, capture=True)


def run_all(jobs: int) -> None:
    """Run all that is queued and show its output, until it has ended, well or not.

    An interrupt ends the trials that are running; the others stay queued.
    """
    try:
        # It tells of failures by words alone: the exit status is 0 whatever becomes of an experiment.
        run_dvc("exp", "run", "--run-all", "--jobs", str(jobs))
    except KeyboardInterrupt:
        # Not `queue stop --kill`, which leaves the training of a killed experiment running.
        run_dvc("queue", "stop", capture=True)
        running = [name for name, status in unfinished().items() if status == "Running"]
        if running:
            run_dvc("queue", "kill", *running, capture=True)
        print(
            "\nThe queue has stopped: `make trials` goes on with it, `dvc queue remove --queued` empties it."
        )
        raise


def reproduce(target: str) -> None:
    """Bring a stage and all before it up to date in the work tree."""
    run_dvc("repro", target)


def require_in_git(paths: Sequence[str]) -> None:
    """Raise a `FerflowError` if git does not know a file below `paths`: DVC's copies would lack it."""
    unknown = _git("ls-files", "--others", "--exclude-standard", "--", *paths).splitlines()
    if unknown:
        raise FerflowError(
            f"{unknown[0]} is not in git, and DVC runs trials on what git knows: `git add` it first."
        )


def _git(*arguments: str) -> str:
    result = git(*arguments)
    if result.returncode != 0:
        said = result.stderr.decode(errors="replace").strip().splitlines()[0]
        raise FerflowError(f"git: {said}; trials need a git repository with a commit.")
    return result.stdout.decode()
