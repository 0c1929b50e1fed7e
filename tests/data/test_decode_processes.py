from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from ferflow.data import decode_processes as module
from ferflow.data.decode_batch import DecodedBatch, Job, decode_batch
from ferflow.data.decode_processes import decode_all
from ferflow.errors import FerflowError

SIZE = 12
SERVE = "from ferflow.data.decode_batch import serve; serve()"


def processes(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Decode as on `count` cores, and not alone for longer than on one."""
    monkeypatch.setattr(module, "available_cores", lambda: count)
    monkeypatch.setattr(module, "_BATCHES_ALONE", 0)


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, list[Job]]]:
    """Batches of files good and bad, of gray levels, of boxes, and one of nothing."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    result: list[tuple[str, list[Job]]] = [("empty", [])]
    for number in range(7):
        levels = generator.integers(0, 256, (SIZE + number, SIZE), dtype=np.uint8)
        jpeg, png, text = (folder / f"{number}.{suffix}" for suffix in ("jpg", "png", "txt"))
        Image.fromarray(levels).save(jpeg)
        Image.fromarray(levels).convert("P").save(png, transparency=bytes(range(256)))  # Pillow warns of it
        text.write_text("text")
        jobs: list[Job] = [(str(text), None), (str(jpeg), None), (str(jpeg), (2, 2, 9, 9)), (str(png), None)]
        result.append((f"batch {number}", [*jobs, (levels, None), (levels, (50, 50, 60, 60))]))
    return result


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_any_number_of_processes_gives_the_same_in_the_same_order(
    batches: list[tuple[str, list[Job]]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    count: int,
) -> None:
    processes(monkeypatch, count)
    expected = [(name, decode_batch(jobs, SIZE)) for name, jobs in batches]
    assert list(decode_all(iter(batches), SIZE)) == expected
    assert [rejection is None for rejection in expected[1][1].rejections] == [False, *[True] * 4, False]
    assert capfd.readouterr().err == ""
    assert psutil.Process().children() == []


def test_few_batches_start_no_process(
    batches: list[tuple[str, list[Job]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    monkeypatch.setattr(module, "_COMMAND", ("no such program",))
    assert len(list(decode_all(batches[: module._BATCHES_ALONE], SIZE))) == module._BATCHES_ALONE
    with pytest.raises(FileNotFoundError):
        list(decode_all(batches[: module._BATCHES_ALONE + 1], SIZE))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ran out of memory or was killed: free some memory"),
        (
            "from ferflow.data import decode_batch as module\n"
            "def exhaust(jobs, size): raise MemoryError\n"
            "module.decode_batch = exhaust; module.serve()",
            "ran out of memory or was killed: free some memory",
        ),
        ("raise SystemExit(3)", r"ended unexpectedly \(status 3\)"),
        ("import sys; sys.stdout.buffer.write(b'\\x80\\x05\\x95half'); sys.exit(3)", r"\(status 3\)"),
    ],
    ids=["killed", "out of memory", "broken", "half an answer"],
)
def test_a_process_that_ends_too_soon_is_one_clear_error(
    batches: list[tuple[str, list[Job]]], monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    processes(monkeypatch, 2)
    monkeypatch.setattr(module, "_COMMAND", (sys.executable, "-c", code))
    with pytest.raises(FerflowError, match=message) as error:
        list(decode_all(batches, SIZE))
    assert "\n" not in str(error.value)
    assert psutil.Process().children() == []


def test_memory_that_runs_out_before_any_process_is_started_is_the_same_error(
    batches: list[tuple[str, list[Job]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhaust(_jobs: list[Job], _size: int) -> DecodedBatch:
        raise MemoryError

    monkeypatch.setattr(module, "decode_batch", exhaust)
    with pytest.raises(FerflowError, match="ran out of memory or was killed: free some memory"):
        list(decode_all(batches, SIZE))


def test_a_caller_that_stops_leaves_no_process(
    batches: list[tuple[str, list[Job]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    processes(monkeypatch, 2)
    results = decode_all(batches, SIZE)
    next(results)
    assert len(psutil.Process().children()) == 3
    results.close()
    assert psutil.Process().children() == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_stage_however_it_ends(tmp_path: Path, end: signal.Signals) -> None:
    script = """
        import itertools, psutil, signal
        from pathlib import Path
        import numpy as np
        from ferflow.data import decode_processes, ingest
        from ferflow.data.formats import RawSample
        from ferflow.labels import LabelNames
        from ferflow.stage import run

        # As in a terminal: what runs in the background is born deaf to interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        decode_processes.available_cores = lambda: 2
        levels = np.zeros((48, 48), dtype=np.uint8)

        def samples():
            for number in itertools.count():
                if number == 2000:
                    print(*(child.pid for child in psutil.Process().children()), flush=True)
                yield RawSample(str(number), "happy", None, levels)

        def main():
            files = {name: Path(name) for name in ("images", "samples", "rejects")}
            ingest.ingest(samples(), LabelNames(), 48, **files)

        run(main)
    """
    (tmp_path / "stage.py").write_text(textwrap.dedent(script))
    with subprocess.Popen(
        [sys.executable, "stage.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as stage:
        try:
            assert stage.stdout is not None
            children = [psutil.Process(int(pid)) for pid in stage.stdout.readline().split()]
            stage.send_signal(end)
            _, errors = stage.communicate(timeout=20)
        finally:
            stage.kill()
    assert len(children) == 3
    assert stage.returncode == (-9 if end is signal.SIGKILL else 130)
    assert errors == ("" if end is signal.SIGKILL else "interrupted\n")
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_a_process_is_not_disturbed_by_what_lies_in_the_working_folder(
    batches: list[tuple[str, list[Job]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pickle.py", "PIL.py", "hashlib.py"):
        (tmp_path / name).write_text("raise SystemExit('wrong module')")
    monkeypatch.chdir(tmp_path)
    processes(monkeypatch, 2)
    assert len(list(decode_all(batches, SIZE))) == len(batches)


def test_a_process_that_decodes_imports_no_numpy() -> None:
    code = f"import sys; {SERVE.partition(';')[0]}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert {"numpy", "pandas", "pyarrow"} & set(done.stdout.split()) == set()
