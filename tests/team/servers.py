"""A team's servers, as docs/team-server.md sets them up: PostgreSQL, an S3 store, and MLflow before both."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import requests

from team.object_store import ObjectStore
from team.postgres import Postgres
from team.processes import Server, free_port

ADMIN: Final = "admin"
ENGINEER: Final = "ann"
DVC_BUCKET: Final = "ferflow-dvc"
MLFLOW_BUCKET: Final = "ferflow-mlflow"
#: MLflow's own tables, and the users of its server.
DATABASES: Final = ("mlflow", "mlflow_auth")
_FOREIGN: Final = ("MLFLOW", "DVC", "AWS", "PG", "FERFLOW")
_USERS: Final = """[mlflow]
default_permission = EDIT
database_uri = {uri}
admin_username = {admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
# Else every request computes the slow hash of a password three times.
auth_cache_ttl_seconds = 60
"""


def clean_environment(folder: Path) -> dict[str, str]:
    """Return the environment without servers and credentials of whoever runs the test.

    Args:
        folder: Where an empty configuration of AWS is put, in place of the user's.
    """
    nothing = folder / "aws-config"
    nothing.touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AWS_CONFIG_FILE": str(nothing),
        "AWS_SHARED_CREDENTIALS_FILE": str(nothing),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PGPASSFILE": os.devnull,
        "DVC_NO_ANALYTICS": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Moto, which checks signatures here, knows none that stand in an address.
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


class Servers:
    """All three servers, started in order and stopped together.

    Attributes:
        folder: Holds their logs.
        secrets: Every password and key they were given, by what it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = Postgres(folder, DATABASES)
        self.objects = ObjectStore(folder, (MLFLOW_BUCKET, DVC_BUCKET))
        self._passwords = {ADMIN: secrets.token_hex(16), ENGINEER: secrets.token_hex(16)}
        self._session_key = secrets.token_hex(16)
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.mlflow = Server(
            "MLflow",
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
                *("--workers", "1", "--app-name", "basic-auth"),
                *("--backend-store-uri", self.postgres.uri("mlflow")),
                *("--artifacts-destination", f"s3://{MLFLOW_BUCKET}"),
            ],
            port=port,
            log=folder / "mlflow.log",
            environment={},
            ready=self._answers,
        )

    @property
    def ports(self) -> list[int]:
        """The ports of all servers."""
        return [server.port for server in (self.postgres.server, self.objects.server, self.mlflow)]

    @property
    def secrets(self) -> dict[str, str]:
        """What must be found nowhere, by what it is."""
        keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        return {
            **{f"PostgreSQL's {name}": value for name, value in self.postgres.passwords.items()},
            **{f"MLflow's {name}": value for name, value in self._passwords.items()},
            "MLflow's session key": self._session_key,
            **{name: self.objects.keys[name] for name in keys},
        }

    @property
    def credentials(self) -> dict[str, str]:
        """The environment of an engineer for MLflow."""
        return {
            "MLFLOW_TRACKING_USERNAME": ENGINEER,
            "MLFLOW_TRACKING_PASSWORD": self._passwords[ENGINEER],
        }

    def start(self) -> None:
        """Start all servers and give the engineer an account."""
        self.objects.start()
        self.postgres.start()
        users = self.folder / "mlflow-users.ini"
        users.write_text(_USERS.format(uri=self.postgres.uri("mlflow_auth"), admin=ADMIN))
        self.mlflow.environment = environment = {
            **clean_environment(self.folder),
            **self.objects.keys,
            "PGPASSWORD": self.postgres.passwords["mlflow"],
            "MLFLOW_AUTH_CONFIG_PATH": str(users),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self._passwords[ADMIN],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self._session_key,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        _upgrade(self.postgres.uri("mlflow"), environment)
        self.mlflow.start()
        self.ask("2.0/mlflow/users/create", username=ENGINEER, password=self._passwords[ENGINEER])

    def stop(self) -> None:
        """Stop all servers; they may be stopped twice."""
        self.mlflow.stop()
        self.postgres.stop()
        self.objects.stop()

    def ask(self, path: str, **content: Any) -> Any:
        """Return MLflow's answer to a request of the administrator."""
        answer = requests.post(
            f"{self.address}/api/{path}",
            json=content,
            auth=(ADMIN, self._passwords[ADMIN]),
            timeout=30,
            proxies={"http": ""},
        )
        assert answer.ok, answer.text
        return answer.json()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/health", timeout=5, proxies={"http": ""}).ok
        except requests.ConnectionError:
            return False


def _upgrade(uri: str, environment: Mapping[str, str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "mlflow", "db", "upgrade", uri],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
