from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from team.project import Plan, make_project
from team.servers import ENGINEER, Servers, clean_environment
from team.workplace import Workplace


@dataclass(frozen=True, slots=True)
class Team:
    """Two engineers' clones of one repository, and the servers that both use."""

    servers: Servers
    plan: Plan
    first: Workplace
    second: Workplace
    outputs: list[str]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    # Asked to end, the test stops its servers, as it does when it is interrupted.
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    servers = Servers(tmp_path_factory.mktemp("servers"))
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()
        signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="module")
def team(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """The repository after the first engineer's run, pushed; the second engineer's clone of it."""
    folder = tmp_path_factory.mktemp("team")
    outputs: list[str] = []
    git = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", ENGINEER), ("EMAIL", f"{ENGINEER}@example.org"))
    }
    environment = clean_environment(servers.folder) | git | servers.objects.keys | servers.credentials
    first = Workplace(folder / "first", environment | {"MLFLOW_TRACKING_URI": servers.address}, outputs)
    first.folder.mkdir()
    plan = make_project(first, sample=bool(os.environ.get("FERFLOW_TEAM_SAMPLE")))

    # What `make repro` does.
    first.run("dvc", "repro", "validate")
    first.run("python", "-m", "ferflow.parallel")
    first.run("dvc", "repro")
    first.run("python", "-m", "ferflow.summary", "reports")
    first.commit("What the pipeline found")
    first.run("dvc", "push")
    first.run("git", "clone", "--quiet", "--bare", ".", str(folder / "origin.git"))
    first.run("git", "clone", "--quiet", str(folder / "origin.git"), str(folder / "second"))

    # Credentials in the address are for those who have no other place; they must not be shown either.
    name, password = servers.credentials.values()
    address = servers.address.replace("://", f"://{name}:{password}@")
    without = {key: value for key, value in environment.items() if key not in servers.credentials}
    second = Workplace(folder / "second", without | {"MLFLOW_TRACKING_URI": address}, outputs)
    return Team(servers, plan, first, second, outputs)
