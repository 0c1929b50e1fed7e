from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .faulty_server import FaultyServer, serving


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own: no test reads or writes that of the user."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FERFLOW_CACHE", str(folder))
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as state:
        yield state
