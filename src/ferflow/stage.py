"""How a stage script starts and ends: quiet libraries, one clear line on failure."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Final

from ferflow.errors import FerflowError, without_credentials

#: Set before any heavy import, and only where the user has not chosen otherwise.
_ENVIRONMENT: Final = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # TensorFlow prints pages about GPUs that are not there
    "DO_NOT_TRACK": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it would look up a host at every start
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a dead server is reported in seconds, not minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MPLBACKEND": "agg",
}
#: What Keras imports for its scikit-learn wrappers and its plots, and does without where it is missing.
_NOT_NEEDED_BY_KERAS: Final = ("sklearn", "matplotlib")
#: Enough for the callback to end that the interrupt came into.
_SECONDS_UNTIL_AGAIN: Final = 0.01
#: The process has one stderr: two threads that hold it back at once would give it back in the wrong order.
_STDERR_HELD: Final = threading.RLock()


def settle_environment() -> None:
    """Set how libraries are to behave, where the user has not; for those that are not imported yet."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def heavy_imports() -> Iterator[None]:
    """Import Keras, and hold back what native libraries print while they load; show it only if loading fails.

    TensorFlow writes lines about absent GPUs straight to the process's stderr, before any of its
    settings is read. They would stand between every stage's name and its result. Threads of a server may
    load at the same time: they wait for one another.
    """
    with _STDERR_HELD, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            with _interrupts_held():
                _import_keras()
            yield
        except FerflowError:
            raise  # it says what is wrong itself
        except Exception:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let interrupts wait for the end of the block: native modules that load swallow them, or fail oddly.

    Interrupts come to the main thread alone, and no other may say what is done with them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for signal_, handler in handlers.items():
            signal.signal(signal_, handler)
    if came:
        signal.raise_signal(came[0])


def _import_keras() -> None:
    """Import Keras without what no stage uses of it, which would be a third of the time."""
    spared = [name for name in _NOT_NEEDED_BY_KERAS if name not in sys.modules]
    for name in spared:
        # None stands for a module that cannot be imported.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        importlib.import_module("keras")
    finally:
        for name in spared:
            del sys.modules[name]


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main` and exit: 0 on success, 1 with one line on stderr for a `FerflowError`.

    A `FerflowError` is a problem of the user's and gets no traceback; any other exception is a
    defect of ours and keeps it. An interrupt exits with 130, and output that nobody reads any more with
    141, as shells expect.
    """
    settle_environment()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    # Each retry of a request would be announced; the error that follows says it once.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    # MLflow says this of its own code while it is imported.
    warnings.filterwarnings("ignore", message=".*Any type hint is inferred", category=UserWarning)
    # Asked to end, a stage ends like one that is interrupted: nothing half-written stays behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _interrupts_kept():
            main()
    except FerflowError as error:
        print(f"error: {without_credentials(str(error))}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; at exit Python would write the rest there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


@contextlib.contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Interrupt once more where Python ignored it, as it ignores what is raised while an object is deleted.

    It happens: importlib forgets locks of modules in such a callback, and a large import forgets hundreds.
    """
    others = sys.unraisablehook

    def interrupt_again(ignored: sys.UnraisableHookArgs) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _SECONDS_UNTIL_AGAIN)
        else:
            others(ignored)

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    sys.unraisablehook = interrupt_again
    try:
        yield
    finally:
        # While Python shuts down, the alarm would end what others have to do then, or the process itself.
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = others
