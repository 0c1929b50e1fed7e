from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ferflow.demo.server import bound, private_folder
from ferflow.errors import FerflowError


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with bound("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(
            FerflowError, match=rf"^port {port} of 127.0.0.1 cannot be used \(.*\): choose .* --port.$"
        ):
            bound("127.0.0.1", port)
    with bound("127.0.0.1", port):
        pass  # free again at once


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 7860), ("127.0.0.1", 99_999)])
def test_an_address_that_is_none_is_told_in_one_line(host: str, port: int) -> None:
    with pytest.raises(FerflowError, match="on this machine"):
        bound(host, port)


def test_temporary_files_are_private_and_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    with pytest.raises(KeyboardInterrupt), private_folder():
        folder = Path(os.environ["GRADIO_TEMP_DIR"])
        assert folder.parent == tmp_path and stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "left.png").write_bytes(b"x")
        raise KeyboardInterrupt
    assert [*tmp_path.iterdir()] == []
