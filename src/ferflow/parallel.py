"""Bring several models up to date at a time: `python -m ferflow.parallel`, in front of `dvc repro`.

DVC runs one stage after the other, and half of a short training is the work of one thread: to import, build,
trace, compile. DVC's locks let several of its processes work in one project, as long as each is told to leave
the stages before its own alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

import psutil

from ferflow.dvc_command import run_dvc
from ferflow.errors import FerflowError
from ferflow.files import read_or_none
from ferflow.params import load_params
from ferflow.shared_machine import MODELS_AT_A_TIME, available_cores
from ferflow.stage import run

#: The stages of one model, in their order.
_STAGES: Final = ("train", "predict", "evaluate")
#: What a small network takes to be trained, TensorFlow included.
_BYTES_PER_MODEL: Final = 2 << 30
#: What is between stages DVC does for one at a time; more than these were not tried.
_MOST: Final = 4
#: How Linux names them below /dev: NVIDIA's, AMD's, and those of Windows around it.
_GPUS: Final = ("nvidia[0-9]*", "kfd", "dxg")


def main() -> None:
    """Train, ask and evaluate the models that have changed, several at a time; leave the rest to `dvc repro`.

    Raises:
        FerflowError: The stages of a model failed. Those that were running have been waited for.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--jobs", type=_positive, help="models at a time; by default one, and several if they are small"
    )
    arguments = parser.parse_args()

    params = load_params()
    jobs = arguments.jobs or _default_jobs(params.budget)
    if jobs == 1:
        return
    costs = read_or_none(Path("reports") / params.dataset / params.budget / "costs.json")
    names = longest_first(models_to_do(params.models, _changed_stages()), costs)
    if len(names) > 1:
        print(f"parallel: {len(names)} models, {min(jobs, len(names))} at a time", flush=True)
        try:
            side_by_side({name: _command(name) for name in names}, jobs)
        except KeyboardInterrupt:
            _mend_lock_file(Path(".dvc/tmp/rwlock"))
            raise


def models_to_do(models: Collection[str], changed: Collection[str]) -> list[str]:
    """Return the models of which a stage has changed, in their order.

    Args:
        models: All names under `models` in params.yaml.
        changed: Names of stages as DVC tells them, `train@cnn4`.
    """
    return [name for name in models if any(f"{stage}@{name}" in changed for stage in _STAGES)]


def longest_first(names: Sequence[str], costs: object) -> list[str]:
    """Return models in the order to start them: a long training that starts last leaves cores idle.

    Args:
        names: Of the models; those of which no time is known come first, and keep their order.
        costs: What costs.json says of earlier trainings, or None.
    """
    seconds = {name: _seconds(costs, name) for name in names}
    return sorted(names, key=lambda name: -seconds[name])


def side_by_side(commands: Mapping[str, Sequence[str]], jobs: int) -> None:
    """Run commands, some at a time, and print what they print behind their names.

    After a failure no other is started. An interrupt is passed on; what it ends is waited for.

    Args:
        commands: By name, in the order to start them.
        jobs: How many run at a time.

    Raises:
        FerflowError: Commands failed, which are named.
    """
    # A shell lets what it starts in the background ignore interrupts, and so would the commands.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    jobs = min(jobs, len(commands))
    pool = _Pool(commands, {**os.environ, MODELS_AT_A_TIME: str(jobs)})
    # It waits for its threads however the block ends; a thread's own `join` gives up after an interrupt.
    with ThreadPoolExecutor(jobs) as executor:
        try:
            workers = [executor.submit(pool.work) for _ in range(jobs)]
            wait(workers)
        except KeyboardInterrupt:
            pool.interrupt()
            raise
    for worker in workers:
        worker.result()
    if pool.failed:
        names = ", ".join(sorted(pool.failed))
        raise FerflowError(f"the stages of {names} failed: what is wrong stands above, behind the name.")


class _Pool:
    """Commands that wait and commands that run, for threads that each run one at a time."""

    def __init__(self, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> None:
        self.failed: list[str] = []
        self._all, self._done = len(commands), 0
        self._waiting = list(commands.items())
        self._environment = environment
        self._running: list[subprocess.Popen[str]] = []
        self._width = max(map(len, commands))
        self._lock = threading.Lock()

    def work(self) -> None:
        """Run what waits until nothing does, or one has failed."""
        while started := self._start():
            name, process = started
            with process:  # waits for its end
                for line in filter(str.strip, process.stdout or ()):
                    self._print(name, line)
            if process.returncode < 0:  # it could not say so itself
                signal_ = signal.Signals(-process.returncode).name
                self._print(name, f"ended by {signal_}: run it again, with JOBS=1 if memory is short")
            with self._lock:
                self._running.remove(process)
                if process.returncode != 0:
                    self.failed.append(name)
                    self._waiting.clear()
                    continue
                self._done += 1
                done = self._done
            self._say(f"parallel: {done} of {self._all} models are done")

    def _print(self, name: str, line: str) -> None:
        self._say(f"{name:{self._width}} | {line.rstrip()}")

    def _say(self, line: str) -> None:
        # With its end of line at once: another thread's would come between.
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def interrupt(self) -> None:
        """Start nothing more, and end what runs."""
        with self._lock:
            self._waiting.clear()
            for process in self._running:
                # The whole group: DVC itself waits for its stage, as in a terminal. It may have ended by now.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGINT)

    def _start(self) -> tuple[str, subprocess.Popen[str]] | None:
        with self._lock:
            if not self._waiting:
                return None
            name, command = self._waiting.pop(0)
            process = subprocess.Popen(  # noqa: S603 - our own words, and names that were checked
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                process_group=0,  # a terminal's interrupt reaches this process alone, which passes it on
            )
            self._running.append(process)
            return name, process


def _seconds(costs: object, name: str) -> float:
    cost = costs.get(name) if isinstance(costs, dict) else None
    training = cost.get("training") if isinstance(cost, dict) else None
    seconds = training.get("seconds") if isinstance(training, dict) else None
    return seconds if isinstance(seconds, float) else math.inf


def _command(model: str) -> list[str]:
    stages = [f"{stage}@{model}" for stage in _STAGES]
    return [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", *stages]


def _changed_stages() -> Collection[str]:
    changed: dict[str, object] = json.loads(run_dvc("status", "--json", capture=True))
    return changed.keys()


def _mend_lock_file(file: Path) -> None:
    """Remove DVC's file of who reads and writes what if an interrupt came while it was written.

    DVC would refuse every command from then on. Those that it was of have ended.
    """
    try:
        json.loads(file.read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        file.unlink()


def _default_jobs(budget: str) -> int:
    # Long trainings keep all cores busy, and a GPU is for one.
    if budget != "quick" or any(any(Path("/dev").glob(name)) for name in _GPUS):
        return 1
    memory: int = psutil.virtual_memory().available // _BYTES_PER_MODEL
    # One more than cores: while it waits for DVC, the others keep the cores busy.
    return max(1, min(available_cores() + 1, memory, _MOST)) if available_cores() > 1 else 1


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of models from 1 on")
    return int(text)


if __name__ == "__main__":
    run(main)
