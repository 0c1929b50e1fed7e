"""An engineer's clone of the project, and what is typed in it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from team.processes import end_group
from tiny_project import set_params


class Workplace:
    """A clone, with the environment of the engineer who works there.

    Attributes:
        folder: The clone.
        environment: Of the commands; it may be changed.
        outputs: What all commands printed.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], outputs: list[str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.outputs = outputs

    def run(self, *command: str, ok: bool = True, changes: Mapping[str, str] | None = None) -> str:
        """Run a command and return all that it printed; `python` and `dvc` are those of the test.

        Args:
            command: The program and its arguments.
            ok: Whether it should succeed.
            changes: Of the environment, for this command; an empty value takes a variable away.
        """
        with self.running(*command, changes=changes) as process:
            output, _ = process.communicate()
        self.outputs.append(output)
        assert (process.returncode == 0) is ok, output
        return str(output)

    @contextlib.contextmanager
    def running(
        self, *command: str, changes: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Yield a command that runs; whatever of it is left at the end is ended."""
        changed = self.environment | dict(changes or {})
        if command[0] == "python":
            # dvc.yaml sees to it that stages run the clone's code; only what is typed needs help.
            changed["PYTHONPATH"] = str(self.folder / "src")
        process = subprocess.Popen(
            [*([sys.executable, "-m"] if command[0] == "dvc" else []), *command],
            cwd=self.folder,
            env={name: value for name, value in changed.items() if value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            yield process
        finally:
            end_group(process, signal.SIGINT)
            if process.stdout is not None:
                process.stdout.close()

    def ask(self, program: str, *arguments: str) -> Any:
        """Return the JSON that a Python program prints as its last line."""
        return json.loads(self.run("python", "-c", program, *arguments).splitlines()[-1])

    def set_params(self, **changes: Any) -> None:
        """Set keys of params.yaml, given with `__` for the dots."""
        set_params(self.folder, changes)

    def commit(self, message: str) -> None:
        """Commit all that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)
