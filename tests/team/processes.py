"""Programs of a test, each in a process group of its own, so that nothing of it stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

_SECONDS_TO_START: Final = 120
_SECONDS_TO_STOP: Final = 30


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    """Return whether somebody listens on a port of the loopback interface."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


class Server:
    """A program that serves a port of the loopback interface until it is stopped."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        port: int,
        log: Path,
        environment: Mapping[str, str],
        ready: Callable[[], bool] | None = None,
        stop_by: signal.Signals = signal.SIGTERM,
        **options: Any,
    ) -> None:
        """Say what to run; nothing is started yet.

        Args:
            name: For messages.
            command: The program and its arguments; it must not put itself into the background.
            port: Where it will listen.
            log: The file that what it prints is added to.
            environment: All of its environment.
            ready: Whether it serves; by default, whether the port is open.
            stop_by: The signal that asks it to end in good order.
            options: More for `subprocess.Popen`, e.g. the user to run as.
        """
        self.name = name
        self.port = port
        self.log = log
        self._command = command
        self.environment = environment
        self._ready = ready or (lambda: is_open(port))
        self._stop_by = stop_by
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program and wait until it serves; it is stopped again if it does not."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._options,
            )
        try:
            self._wait(self._process)
        except BaseException:
            self.stop()
            raise

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _SECONDS_TO_START
        while not self._ready():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(
                    f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-3000:]}"
                )
            time.sleep(0.1)

    def kill(self) -> None:
        """End the program at once, as a failing machine would."""
        if self._process is not None:
            end_group(self._process, signal.SIGKILL)
            self._process = None

    def stop(self) -> None:
        """Ask the program to end and see to it that all its processes did; it may be stopped twice."""
        if self._process is not None:
            end_group(self._process, self._stop_by)
            self._process = None


def end_group(process: subprocess.Popen[Any], by: signal.Signals) -> None:
    """End a process that leads a group: by a signal to itself, then by force whatever is left of the group.

    Args:
        process: The leader.
        by: What asks it to end in good order; with SIGKILL nothing is asked.
    """
    if process.poll() is None and by is not signal.SIGKILL:
        process.send_signal(by)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_STOP)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # Its children are nobody's to wait for.
    end = time.monotonic() + _SECONDS_TO_STOP
    while _living(process.pid) and time.monotonic() < end:
        time.sleep(0.05)


def _living(group: int) -> bool:
    """Return whether a process of a group still runs; one that ended and nobody waited for does not."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
