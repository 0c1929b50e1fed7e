from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from ferflow import parallel as module
from ferflow.errors import FerflowError
from ferflow.parallel import longest_first, models_to_do, side_by_side
from ferflow.shared_machine import models_at_a_time, shared


def command(script: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(script)]


def test_models_of_which_a_stage_has_changed_are_done_in_their_order() -> None:
    changed = {"predict@second", "train@third", "evaluate@first", "compare", "train@fourth"}
    assert models_to_do(["third", "first", "second", "zeroth"], changed) == ["third", "first", "second"]
    assert models_to_do(["first"], {"check", "evaluate_ensemble@first"}) == []


def test_what_trained_longest_starts_first_after_what_is_new() -> None:
    costs = {
        "short": {"training": {"seconds": 9.5}},
        "long": {"training": {"seconds": 80.0}},
        "elsewhere": {"training": {"seconds": None}},
        "broken": 3,
    }
    names = ["short", "new", "long", "broken", "elsewhere"]
    assert longest_first(names, costs) == ["new", "broken", "elsewhere", "long", "short"]
    assert longest_first(names, None) == names
    assert longest_first(names, ["not", "costs"]) == names


def test_what_commands_print_stands_behind_their_names(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import sys; print('said'); print(); print('warned', file=sys.stderr)"
    side_by_side({"cnn4": command(script), "compact": command("print('done')")}, jobs=1)
    assert capfd.readouterr().out.splitlines() == [
        "cnn4    | said",
        "cnn4    | warned",
        "parallel: 1 of 2 models are done",
        "compact | done",
        "parallel: 2 of 2 models are done",
    ]


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_so_many_run_at_a_time_and_are_told(tmp_path: Path, jobs: int) -> None:
    # Each waits for as many as should be there with it.
    script = f"""
        import os, time
        from pathlib import Path
        from ferflow.shared_machine import models_at_a_time
        assert models_at_a_time() == {min(jobs, 3)}
        folder = Path({str(tmp_path)!r})
        (folder / str(os.getpid())).touch()
        end = time.monotonic() + 20
        while len([*folder.iterdir()]) < min({jobs}, 3):
            assert time.monotonic() < end
            time.sleep(0.01)
    """
    side_by_side({str(number): command(script) for number in range(3)}, jobs)
    assert len([*tmp_path.iterdir()]) == 3


def test_no_more_than_jobs_run_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = f"""
        import os, time
        from pathlib import Path
        mine = Path({str(tmp_path)!r}) / str(os.getpid())
        mine.touch()
        time.sleep(0.3)
        print(len([*mine.parent.iterdir()]))
        mine.unlink()
    """
    side_by_side({str(number): command(script) for number in range(6)}, jobs=2)
    counts = [int(line.partition("|")[2]) for line in capfd.readouterr().out.splitlines() if "|" in line]
    assert len(counts) == 6
    assert max(counts) <= 2


def test_after_a_failure_no_other_is_started_and_those_that_run_are_waited_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "failing"
    slow = f"""
        import time
        from pathlib import Path
        while not Path({str(mark)!r}).exists():
            time.sleep(0.01)
        time.sleep(1)
        print("saved")
    """
    broken = f"""
        from pathlib import Path
        Path({str(mark)!r}).touch()
        raise SystemExit("error: no such layer")
    """
    commands = {
        "slow": command(slow),
        "broken": command(broken),
        "never": command("print('started')"),
    }
    with pytest.raises(FerflowError, match=r"^the stages of broken failed: .* above, behind the name\.$"):
        side_by_side(commands, jobs=2)
    said = capfd.readouterr().out.splitlines()
    assert sorted(said) == [
        "broken | error: no such layer",
        "parallel: 1 of 3 models are done",
        "slow   | saved",
    ]


def test_a_command_that_was_killed_is_told_as_such(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FerflowError, match=r"^the stages of cnn4 failed"):
        side_by_side({"cnn4": command("import os; os.kill(os.getpid(), 9)")}, jobs=1)
    said = "cnn4 | ended by SIGKILL: run it again, with JOBS=1 if memory is short\n"
    assert capfd.readouterr().out == said


def interrupted(
    arguments: list[str], end: signal.Signals
) -> tuple[set[str], list[psutil.Process], str, str, int]:
    """Return of a process interrupted after two lines: those, its family then, the rest, its status."""
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            lines = {process.stdout.readline(), process.stdout.readline()}
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(end)
            output, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    return lines, family, output, errors, process.returncode


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_what_runs_and_its_stages_and_starts_nothing(end: signal.Signals) -> None:
    # Like DVC: deaf itself, and ending when its stage has ended.
    dvc = """
        import signal, subprocess, sys
        training = "import time; print('training', flush=True); time.sleep(60)"
        stage = subprocess.Popen([sys.executable, "-c", training])
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise SystemExit(stage.wait())
    """
    script = f"""
        import sys
        from ferflow.parallel import side_by_side
        from ferflow.stage import run
        dvc = [sys.executable, "-c", {textwrap.dedent(dvc)!r}]
        run(lambda: side_by_side({{"first": dvc, "second": dvc, "third": dvc}}, 2))
    """
    # As if it were in the background of a script.
    deaf = ["/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"', *command(script)]
    lines, family, output, errors, status = interrupted(deaf, end)
    assert lines == {"first  | training\n", "second | training\n"}
    assert (status, errors) == (130, "interrupted\n")
    assert "third" not in output
    assert len(family) == 4
    assert [process for process in family if process.is_running()] == []


def test_all_that_an_interrupt_ends_is_waited_for_the_longest_too() -> None:
    slow = """
        import time
        try:
            print("training", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            time.sleep(2)
            print("checkpoint written", flush=True)
    """
    script = f"""
        import sys
        from ferflow.parallel import side_by_side
        from ferflow.stage import run
        slow = [sys.executable, "-c", {textwrap.dedent(slow)!r}]
        quick = [sys.executable, "-c", "import time; print('training', flush=True); time.sleep(60)"]
        run(lambda: side_by_side({{"slow": slow, "quick": quick}}, 2))
    """
    _, _, output, errors, status = interrupted(command(script), signal.SIGTERM)
    assert "slow  | checkpoint written\n" in output
    assert (status, errors) == (130, "interrupted\n")


def test_what_cannot_be_started_is_no_success() -> None:
    with pytest.raises(FileNotFoundError):
        side_by_side({"first": ["/no/such/program"], "second": command("")}, jobs=1)


@pytest.mark.parametrize(
    ("content", "left"), [(None, False), (b"", False), (b'{"models', False), (b"{}", True)]
)
def test_a_lock_file_that_was_interrupted_half_written_is_removed(
    tmp_path: Path, content: bytes | None, left: bool
) -> None:
    file = tmp_path / "rwlock"
    if content is not None:
        file.write_bytes(content)
    module._mend_lock_file(file)
    assert file.exists() is left


@pytest.mark.parametrize(
    ("budget", "cores", "gigabytes", "gpu", "expected"),
    [
        ("quick", 1, 64, "", 1),
        ("quick", 2, 64, "", 3),
        ("quick", 2, 5, "", 2),
        ("quick", 64, 64, "", 4),
        ("quick", 8, 5, "", 2),
        ("quick", 8, 1, "", 1),
        ("quick", 8, 64, "nvidia0", 1),
        ("quick", 8, 64, "kfd", 1),
        ("quick", 8, 64, "dxg", 1),
        ("quick", 8, 64, "nvidiactl", 4),
        ("full", 8, 64, "", 1),
    ],
)
def test_small_models_share_a_cpu_that_has_room_for_them(
    monkeypatch: pytest.MonkeyPatch, budget: str, cores: int, gigabytes: int, gpu: str, expected: int
) -> None:
    memory = SimpleNamespace(available=gigabytes << 30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(module, "available_cores", lambda: cores)
    monkeypatch.setattr(Path, "glob", lambda _dev, pattern: iter([gpu] if fnmatch(gpu, pattern) else []))
    assert module._default_jobs(budget) == expected


def test_one_at_a_time_is_left_to_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["parallel", "--jobs", "1"])
    monkeypatch.setattr(module, "_changed_stages", lambda: pytest.fail("DVC would be asked for nothing"))
    module.main()


@pytest.mark.parametrize("jobs", ["0", "-1", "two", ""])
def test_a_number_of_jobs_that_is_none_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["parallel", f"--jobs={jobs}"])
    with pytest.raises(SystemExit) as status:
        module.main()
    assert status.value.code == 2
    assert re.search(
        rf"'{re.escape(jobs)}' is not a number of models from 1 on$", capsys.readouterr().err.strip()
    )


def test_a_time_says_that_other_models_shared_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FERFLOW_MODELS_AT_A_TIME", raising=False)
    assert (models_at_a_time(), shared("EPYC")) == (1, "EPYC")
    monkeypatch.setenv("FERFLOW_MODELS_AT_A_TIME", "3")
    assert (models_at_a_time(), shared("EPYC")) == (3, "EPYC, beside other models")
