"""A PostgreSQL of the test's own: installed if need be, in a temporary folder, on loopback, not as root."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from ferflow.errors import FerflowError
from team.processes import Server, free_port

SUPERUSER: Final = "postgres"
#: Debian keeps the server's programs out of the PATH, one folder for each version.
_FOLDERS: Final = Path("/usr/lib/postgresql")
_HOW: Final = "install Debian's package `postgresql` (apt-get install postgresql), then run it again"
#: Without a cluster of the machine's own: its server would run, and keep port 5432, after the test.
_INSTALL: Final = """
export DEBIAN_FRONTEND=noninteractive
setting=/etc/postgresql-common/createcluster.d/ferflow-team-test.conf
mkdir -p "${setting%/*}"
echo 'create_main_cluster = false' > "$setting"
trap 'rm -f "$setting"' EXIT
apt-get update -qq
apt-get install -qq --yes --no-install-recommends postgresql
"""


def programs(folders: Path = _FOLDERS) -> Path | None:
    """Return the folder of the newest PostgreSQL's programs; None if there is none."""
    versions = [folder for folder in folders.glob("*/bin") if (folder / "initdb").is_file()]
    if versions:
        return max(
            versions, key=lambda folder: [int(part) for part in re.findall(r"\d+", folder.parent.name)]
        )
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def installed_programs(folders: Path = _FOLDERS) -> Path:
    """Return the folder of PostgreSQL's programs; install Debian's package where that is possible.

    Raises:
        FerflowError: There is none and it cannot be installed, in one line with what to do.
    """
    if found := programs(folders):
        return found
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") is None or (as_root and shutil.which("sudo") is None):
        raise FerflowError(f"there is no PostgreSQL on this machine: {_HOW}.")
    result = subprocess.run(
        [*as_root, "sh", "-euc", _INSTALL],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    found = programs(folders)
    if found is None:
        said = (result.stderr.strip() or result.stdout.strip() or "it holds no initdb").splitlines()[-1]
        raise FerflowError(f"PostgreSQL cannot be installed here ({said}): {_HOW}.")
    return found


class Postgres:
    """A server with one database for each name given, all owned by the role `mlflow`.

    Attributes:
        passwords: Of the superuser and of the role, by name.
        server: The process.
    """

    def __init__(self, folder: Path, databases: tuple[str, ...]) -> None:
        self.passwords = {SUPERUSER: secrets.token_hex(16), "mlflow": secrets.token_hex(16)}
        self._programs = installed_programs()
        self._databases = databases
        # Not below pytest's folder: only its own user can enter that.
        self._folder = Path(tempfile.mkdtemp(prefix="ferflow-postgres-"))
        self._as_user = _unprivileged()
        port = free_port()
        self.server = Server(
            "PostgreSQL",
            [
                *(str(self._programs / "postgres"), "-D", str(self._folder / "data"), "-p", str(port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                *("-c", "fsync=off"),  # a test's data need not survive a power failure
            ],
            port=port,
            log=folder / "postgres.log",
            environment={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            ready=lambda: self._run("pg_isready").returncode == 0,
            stop_by=signal.SIGINT,  # clients that are connected do not hold it up
            cwd=self._folder,
            **self._as_user,
        )

    def uri(self, database: str) -> str:
        """Return the address of a database; the password comes from PGPASSWORD."""
        return f"postgresql+psycopg://mlflow@127.0.0.1:{self.server.port}/{database}"

    def start(self) -> None:
        """Make the cluster, start it, and make the role and its databases."""
        try:
            self._make_cluster()
            self.server.start()
            self._sql(f"CREATE ROLE mlflow LOGIN PASSWORD '{self.passwords['mlflow']}'")
            for database in self._databases:
                self._sql(f"CREATE DATABASE {database} OWNER mlflow")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and delete its files."""
        self.server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def dump(self, database: str) -> bytes:
        """Return all that a database holds, as pg_dump writes it."""
        result = self._run("pg_dump", database)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def _make_cluster(self) -> None:
        password = self._folder / "password"
        password.write_text(self.passwords[SUPERUSER])
        if user := self._as_user.get("user"):
            for path in (self._folder, password):
                os.chown(path, user, self._as_user["group"])
        subprocess.run(
            [
                *(self._programs / "initdb", "--pgdata", self._folder / "data", "--username", SUPERUSER),
                *("--pwfile", password, "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=self._folder,
            **self._as_user,
        )
        password.unlink()

    def _sql(self, statement: str) -> None:
        # By stdin: the arguments of a program can be seen by everybody.
        result = self._run("psql", "--quiet", "--set", "ON_ERROR_STOP=1", statement=statement)
        assert result.returncode == 0, result.stderr

    def _run(self, program: str, *arguments: str, statement: str = "") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._programs / program, *arguments],
            input=statement.encode(),
            capture_output=True,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.server.port),
                "PGUSER": SUPERUSER,
                "PGPASSWORD": self.passwords[SUPERUSER],
                "PGSSLMODE": "disable",
            },
        )


def _unprivileged() -> dict[str, Any]:
    """Return what makes `subprocess` run as another user: as root PostgreSQL refuses to start."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise FerflowError(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody`: make one."
    )
