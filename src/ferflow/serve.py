"""Serve a registered model over HTTP: `python -m ferflow.serve --model champion --port 5001`."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Final

from ferflow.files import atomic_folder
from ferflow.serving.opening import CHAMPION, registered_model
from ferflow.stage import run

#: MLflow's own: nothing outside this machine reaches it.
LOOPBACK: Final = "127.0.0.1"


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
    from ferflow.tracking.stored_models import stored_model

    model = stored_model(arguments.model, registered_model())
    if arguments.fetch:
        with atomic_folder(arguments.fetch) as written:
            shutil.copytree(model.folder, written, dirs_exist_ok=True)
        print(f"serve: {model.title} is in {arguments.fetch}", flush=True)
    else:
        serve(model.title, model.folder, arguments)


def serve(title: str, folder: Path, arguments: argparse.Namespace) -> None:
    """Serve the model in a folder until interrupted."""
    import uvicorn

    from ferflow.serving.server import MODEL

    os.environ[MODEL] = str(folder)
    print(f"serve: opening {title}, for requests to /invocations", flush=True)
    uvicorn.run(
        "ferflow.serving.server:make_app",
        factory=True,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        access_log=False,
    )


if __name__ == "__main__":
    run(main)
