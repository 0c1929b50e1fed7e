from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ferflow.demo.server import private_folder
from ferflow.errors import FerflowError
from ferflow.serving.ports import address, bound


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


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104
        ("::", "http://[::1]:80"),
        ("demo.example.org", "http://demo.example.org:80"),
    ],
)
def test_a_browser_can_go_where_the_page_is_said_to_be(host: str, expected: str) -> None:
    assert address(host, 80) == expected


def test_a_taken_port_is_told_before_anything_large_is_imported() -> None:
    with bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        code = (
            "import sys; from ferflow.demo import __main__ as page\n"
            f"sys.argv = ['', '--port', '{port}']\n"
            "try: page.main()\n"
            "finally: assert not {'gradio', 'keras', 'tensorflow', 'mlflow'} & set(sys.modules)"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"port {port} of 127.0.0.1 cannot be used" in told.stderr and "Assertion" not in told.stderr


def test_temporary_files_are_private_and_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    with pytest.raises(KeyboardInterrupt), private_folder():
        folder = Path(os.environ["GRADIO_TEMP_DIR"])
        assert folder.parent == tmp_path and stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "left.png").write_bytes(b"x")
        raise KeyboardInterrupt
    assert [*tmp_path.iterdir()] == []
