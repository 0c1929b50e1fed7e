"""Measure the served champion under load: clients at once, how many requests are lost, how long they take.

Both servers are started here, one after the other, on a free port of this machine: ours (`make serve`) and
MLflow's own (`mlflow models serve`). Before the load each image is asked for alone; an answer under load that
differs from that is a wrong one.

    python benchmarks/server_load.py --model champion --requests 1000 --clients 8
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import requests

from ferflow.errors import FerflowError
from ferflow.params import load_params
from ferflow.stage import run

SIDE: Final = 48
IMAGES: Final = 64
#: What clients send in turn: images in a request.
LOADS: Final = {"one image": (1,), "1, 1, 1 and 5 images": (1, 1, 1, 5)}
#: Rounding differs between batches of different sizes.
TOLERANCE: Final = 1e-4
SECONDS_TO_START: Final = 180


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request: how long it took, and whether its answers were right."""

    seconds: float
    answered: bool
    right: bool


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", default="champion", help="alias of the registered model (default champion)"
    )
    parser.add_argument("--requests", type=int, default=1000, help="of each load (default 1000)")
    parser.add_argument("--clients", type=int, default=8, help="at once (default 8)")
    arguments = parser.parse_args()
    name = load_params().source.registered_model
    address = f"models:/{name}@{arguments.model}"
    ours = [sys.executable, "-m", "ferflow.serve", "--model", arguments.model]
    mlflows = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"),
        *("--model-uri", address, "--host", "127.0.0.1"),
    ]
    print("| server | requests of | lost | wrong | requests/s | p50 ms | p99 ms |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for title, command in {"make serve": ours, "mlflow models serve": mlflows}.items():
        with served(command) as url:
            for load, sizes in LOADS.items():
                begin = time.perf_counter()
                outcomes = ask_at_once(url, arguments.requests, arguments.clients, sizes)
                print(f"| {title} | {load} | {as_cells(outcomes, time.perf_counter() - begin)} |", flush=True)


@contextlib.contextmanager
def served(command: Sequence[str]) -> Iterator[str]:
    """Start a server on a free port, wait for its health, give the address of its model, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    store = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    process = subprocess.Popen(  # noqa: S603 - our own commands
        [*command, "--port", str(port)],
        env=os.environ | {"PATH": path, "MLFLOW_TRACKING_URI": store},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # MLflow's command has children
    )
    try:
        wait_for_health(process, f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_health(process: subprocess.Popen[bytes], health: str) -> None:
    """Return once a server says that it is well."""
    end = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(requests.RequestException):
            if requests.get(health, timeout=10).ok:
                return
        time.sleep(0.2)
    raise FerflowError("the server did not start: run `make serve` to see why.")


def ask_at_once(url: str, requested: int, clients: int, sizes: Sequence[int]) -> list[Outcome]:
    """Send requests from several clients at once, each with images of its own."""
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE, 1), dtype=np.uint8).tolist()
    alone = [ask(requests.Session(), url, [image]) for image in images]
    if None in alone:
        raise FerflowError("an image alone was not answered: is it a model of images of 48 x 48 pixels?")
    expected = np.array([answer[0] for answer in alone if answer is not None])

    def client(number: int) -> list[Outcome]:
        outcomes = []
        with requests.Session() as session:
            for turn in range(number, requested, clients):
                rows = [(turn + place) % IMAGES for place in range(sizes[turn % len(sizes)])]
                begin = time.perf_counter()
                answer = ask(session, url, [images[row] for row in rows])
                seconds = time.perf_counter() - begin
                right = answer is not None and np.allclose(answer, expected[rows], atol=TOLERANCE)
                outcomes.append(Outcome(seconds, answer is not None, right))
        return outcomes

    with ThreadPoolExecutor(clients) as pool:
        return [outcome for outcomes in pool.map(client, range(clients)) for outcome in outcomes]


def ask(session: requests.Session, url: str, images: list[list[object]]) -> list[list[float]] | None:
    """Return the probabilities of each image; None if there is no answer."""
    body = json.dumps({"inputs": images})
    try:
        response = session.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=120)
        return [list(answer.values()) for answer in response.json()["predictions"]]
    except (requests.RequestException, KeyError, ValueError):
        return None


def as_cells(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return the numbers of one load as cells of a Markdown table."""
    answered = [outcome for outcome in outcomes if outcome.answered]
    times = np.array([outcome.seconds for outcome in answered] or [np.nan]) * 1000
    wrong = sum(not outcome.right for outcome in answered)
    middle, slow = np.percentile(times, [50, 99])
    rate = len(answered) / seconds
    return f"{len(outcomes) - len(answered)} | {wrong} | {rate:.0f} | {middle:.0f} | {slow:.0f}"


if __name__ == "__main__":
    run(main)
