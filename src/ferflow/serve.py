"""Serve a registered model over HTTP: `python -m ferflow.serve --model champion --port 5001`."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import socket
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ferflow.errors import FerflowError
from ferflow.serving.limits import CONNECTIONS, limits_of
from ferflow.serving.opening import CHAMPION, registered_model
from ferflow.serving.ports import bound
from ferflow.stage import run

if TYPE_CHECKING:
    from ferflow.serving.server_guard import ServerGuard

#: MLflow's own: nothing outside this machine reaches it.
LOOPBACK: Final = "127.0.0.1"
#: What each of several processes imports.
WORKER_APP: Final = "ferflow.serve:worker_app"


def main() -> None:
    """Fetch the model and serve it until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model",
        default=CHAMPION,
        help=f"alias, version, run, address of MLflow's or folder (default {CHAMPION})",
    )
    parser.add_argument("--host", default=LOOPBACK, help=f"address to listen on (default {LOOPBACK})")
    parser.add_argument("--port", type=int, default=5001, help="default 5001")
    parser.add_argument("--workers", type=int, default=1, help="processes with a model each (default 1)")
    parser.add_argument(
        "--fetch", type=Path, metavar="FOLDER", help="serve nothing: put the model there, for a container"
    )
    arguments = parser.parse_args()
    _require_registered(arguments.model)
    if arguments.fetch:
        _fetch(arguments.model, arguments.fetch)
    else:
        _serve(arguments.model, arguments.host, arguments.port, arguments.workers)


def _require_registered(model: str) -> None:
    path = Path(model)
    is_file = path.is_file() or path.suffix in {".keras", ".onnx"}
    if is_file or (path.is_dir() and not (path / "MLmodel").is_file()):
        raise FerflowError(
            f"{model} is no registered model, which serve needs: give an alias, a version or a run."
        )


def _fetch(name: str, folder: Path) -> None:
    from ferflow.serving.container_model import put_model, require_free
    from ferflow.tracking.stored_models import stored_model

    require_free(folder)
    model = stored_model(name, registered_model())
    put_model(model.folder, folder)
    print(f"serve: {model.title} is in {folder}", flush=True)


def _serve(name: str, host: str, port: int, workers: int) -> None:
    """Serve a model until interrupted; what can be wrong is found before a server starts."""
    if workers < 1:
        raise FerflowError(f"--workers is {workers}: at least one process serves.")
    limits_of()
    with bound(host, port) as listening:
        from ferflow.serving.server import MODEL
        from ferflow.tracking.stored_models import stored_model

        model = stored_model(name, registered_model())
        os.environ[MODEL] = str(model.folder)
        shown = f"[{host}]" if ":" in host else host
        print(
            f"serve: opening {model.title}, for requests to "
            f"http://{shown}:{listening.getsockname()[1]}/invocations",
            flush=True,
        )
        if workers == 1:
            _serve_here(listening)
        else:
            _serve_in_workers(listening, workers)


def _serve_here(listening: socket.socket) -> None:
    import uvicorn

    from ferflow.serving.server import make_app

    server = uvicorn.Server(uvicorn.Config(make_app(), **_settings()))
    print("serve: ready, until it is interrupted", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


def _serve_in_workers(listening: socket.socket, workers: int) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from ferflow.serving.server import require_opening

    # A worker that cannot open it would be started again and again.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            pool.submit(require_opening).result()
        except BrokenProcessPool:
            raise FerflowError(
                "the process that opened the model was killed: is there memory for it?"
            ) from None
    config = uvicorn.Config(WORKER_APP, factory=True, workers=workers, **_settings())
    with contextlib.suppress(KeyboardInterrupt):
        Multiprocess(config, sockets=[listening]).run()


def worker_app() -> ServerGuard:
    """Return the application of one of several processes, which says when it is ready.

    Raises:
        FerflowError: As of `ferflow.serving.server.make_app`.
    """
    from ferflow.serving.server import make_app

    app = make_app()
    print(f"serve: process {os.getpid()} is ready, until it is interrupted", flush=True)
    return app


def _settings() -> dict[str, Any]:
    return {
        "access_log": False,
        "log_level": "warning",
        "limit_concurrency": CONNECTIONS,
        "server_header": False,
        "ws": "none",
    }


if __name__ == "__main__":
    run(main)
