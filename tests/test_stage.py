from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ferflow.errors import FerflowError
from ferflow.stage import heavy_imports, run


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment of its own: `run` sets variables for its whole process."""
    variables = {"MPLBACKEND": "svg"}
    monkeypatch.setattr(os, "environ", variables)
    return variables


def test_success_returns(capsys: pytest.CaptureFixture[str]) -> None:
    run(lambda: print("split: 3 train"))
    assert capsys.readouterr() == ("split: 3 train\n", "")


def test_a_problem_of_the_users_is_one_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise FerflowError("faces.zip does not exist: correct the `source`.")

    with pytest.raises(SystemExit) as status:
        run(main)
    assert status.value.code == 1
    assert capsys.readouterr() == ("", "error: faces.zip does not exist: correct the `source`.\n")


def test_an_interrupt_is_one_line_and_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as status:
        run(main)
    assert status.value.code == 130
    assert capsys.readouterr() == ("", "interrupted\n")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_comes_while_an_object_is_deleted_is_not_lost(end: signal.Signals) -> None:
    script = f"""
        import os, signal, time
        from ferflow.stage import run

        # As in a terminal: what runs in the background is born deaf to interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)

        class Deleted:
            def __del__(self):
                os.kill(os.getpid(), {end:d})
                raise AssertionError("the interrupt comes before this")

        def main():
            Deleted()
            time.sleep(60)

        run(main)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_after_a_stage_its_process_handles_what_is_ignored_as_before() -> None:
    before = sys.unraisablehook
    seen = []
    run(lambda: seen.append(sys.unraisablehook))
    assert seen != [before]
    assert sys.unraisablehook is before


def test_what_else_is_raised_while_an_object_is_deleted_is_shown() -> None:
    script = """
        from ferflow.stage import run

        class Deleted:
            def __del__(self):
                raise ValueError("not closed")

        run(Deleted)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert "ValueError: not closed" in done.stderr


def test_output_that_nobody_reads_any_more_is_no_traceback() -> None:
    script = (
        "from ferflow.stage import run; run(lambda: [print('x' * 1000, flush=True) for _ in range(1000)])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=30)) == (b"", 141)


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main)


def test_libraries_are_quiet_when_the_stage_starts_unless_the_user_chose(environment: dict[str, str]) -> None:
    seen: dict[str, str] = {}
    run(lambda: seen.update(environment))
    assert seen["TF_CPP_MIN_LOG_LEVEL"] == "3"
    assert seen["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert seen["MPLBACKEND"] == "svg"


def test_native_noise_of_an_import_is_held_back_and_only_that(capfd: pytest.CaptureFixture[str]) -> None:
    with heavy_imports():
        os.write(2, b"no GPU here\n")
    os.write(2, b"a real message\n")
    assert capfd.readouterr().err == "a real message\n"


def test_native_noise_is_shown_when_the_import_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError), heavy_imports():
        os.write(2, b"libcudart is missing\n")
        raise ImportError
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "libcudart is missing\nafter\n"


def test_threads_that_load_at_once_give_stderr_back(capfd: pytest.CaptureFixture[str]) -> None:
    start = threading.Barrier(4)

    def load(_number: int) -> None:
        start.wait(timeout=30)
        with heavy_imports():
            os.write(2, b"no GPU here\n")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(load, range(4)))
    os.write(2, b"a real message\n")
    assert capfd.readouterr().err == "a real message\n"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_until_keras_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: signal.Signals
) -> None:
    # What a shell starts in the background ignores it.
    ignored = signal.signal(end, signal.default_int_handler)

    def import_keras(_name: str) -> None:
        signal.raise_signal(end)
        signal.raise_signal(end)
        print("imported")

    def main() -> None:
        monkeypatch.setattr(importlib, "import_module", import_keras)
        with heavy_imports():
            print("went on")

    try:
        with pytest.raises(SystemExit) as status:
            run(main)
    finally:
        signal.signal(end, ignored)
    assert status.value.code == 130
    assert capsys.readouterr() == ("imported\n", "interrupted\n")


def test_keras_is_loaded_without_what_others_can_still_load() -> None:
    code = (
        "import sys\n"
        "from ferflow.stage import heavy_imports\n"
        "with heavy_imports():\n"
        "    import keras\n"
        "assert not {'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "import matplotlib.pyplot, sklearn.metrics\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
