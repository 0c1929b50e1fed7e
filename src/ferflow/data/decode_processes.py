"""Batches decoded on all cores, in their order; on one core where there are too few to be worth more.

Threads are slower than one: most of the time that a small image takes, Python's lock is held.
`multiprocessing` would import the calling script with all its libraries in every process that it starts.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, TypeVar, cast

import ferflow
from ferflow.data.decode_batch import OUT_OF_MEMORY, DecodedBatch, Job, decode_batch
from ferflow.errors import FerflowError
from ferflow.shared_machine import available_cores

#: Batches that are decoded here: for fewer, other processes would not be ready sooner.
_BATCHES_ALONE: Final = 2
#: Room for the answer to a batch of small images, so that a process does not wait until it is read.
_PIPE_BYTES: Final = 1 << 20
_COMMAND: Final = (sys.executable, "-P", "-c", "from ferflow.data.decode_batch import serve; serve()")
#: One process can feed and write for about as many as these.
_MAX_PROCESSES: Final = 8

Context = TypeVar("Context")


def decode_all(
    batches: Iterable[tuple[Context, list[Job]]], size: int
) -> Generator[tuple[Context, DecodedBatch], None, None]:
    """Decode batches and yield each with its context, in their order, whatever the number of cores.

    Memory stays that of a few batches.

    Args:
        batches: What the caller wants back beside the results, and the jobs of each batch.
        size: Height and width of the results in pixels.

    Raises:
        FerflowError: A process that decodes has been killed or ran out of memory.
    """
    batches = iter(batches)
    cores = available_cores()
    for context, jobs in islice(batches, _BATCHES_ALONE if cores > 1 else None):
        try:
            decoded = decode_batch(jobs, size)
        except MemoryError:
            raise _out_of_memory() from None
        yield context, decoded
    # One more than cores: while the answer of one waits to be taken, the others keep the cores busy.
    yield from _decode_with(min(cores + 1, _MAX_PROCESSES), batches, size)


def _decode_with(
    processes: int, batches: Iterator[tuple[Context, list[Job]]], size: int
) -> Iterator[tuple[Context, DecodedBatch]]:
    busy: deque[tuple[_Worker, Context]] = deque()
    with ExitStack() as stack:
        for context, jobs in batches:
            if len(busy) < processes:
                worker = stack.enter_context(_Worker())
                worker.send(jobs, size)
                busy.append((worker, context))
                continue
            worker, done = busy.popleft()
            decoded = worker.receive()
            worker.send(jobs, size)  # before the caller goes on with the results, so that both work
            busy.append((worker, context))
            yield done, decoded
        for worker, done in busy:
            yield done, worker.receive()


class _Worker:
    """A process that decodes one batch at a time (see `serve`)."""

    def __init__(self) -> None:
        package = Path(ferflow.__file__).parents[1]
        path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pipesize=_PIPE_BYTES,
            env={**os.environ, "PYTHONPATH": path},
            process_group=0,  # a terminal's interrupt reaches the stage alone, which then ends this process
        )

    def send(self, jobs: list[Job], size: int) -> None:
        with self._dying_explained():
            pickle.dump((jobs, size), cast(BinaryIO, self._process.stdin), pickle.HIGHEST_PROTOCOL)
            cast(BinaryIO, self._process.stdin).flush()

    def receive(self) -> DecodedBatch:
        with self._dying_explained():
            stream = cast(BinaryIO, self._process.stdout)
            decoded: DecodedBatch = pickle.load(stream)  # noqa: S301 - written by our own process
        return decoded

    @contextmanager
    def _dying_explained(self) -> Iterator[None]:
        try:
            yield
        except (BrokenPipeError, EOFError, pickle.UnpicklingError):
            raise self._death() from None

    def _death(self) -> FerflowError:
        status = self._process.wait()
        if status in {-signal.SIGKILL, OUT_OF_MEMORY}:
            return _out_of_memory()
        return FerflowError(
            f"a process that decodes images ended unexpectedly (status {status}): run it again; if it ends "
            "again, report it with the lines above."
        )

    def __enter__(self) -> _Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()  # closes its pipes, and waits for its end


def _out_of_memory() -> FerflowError:
    return FerflowError(
        "a process that decodes images ran out of memory or was killed: free some memory, or lower "
        "ingest.image_size in params.yaml, and run it again."
    )
