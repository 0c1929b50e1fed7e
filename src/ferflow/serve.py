"""Serve a registered model over HTTP: `python -m ferflow.serve --model champion --port 5001`."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from ferflow.files import atomic_folder
from ferflow.params import load_params
from ferflow.stage import run

#: MLflow's own: nothing outside this machine reaches it.
LOOPBACK: Final = "127.0.0.1"


def main() -> None:
    """Fetch the model and serve it until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", default="champion", help="alias, version, address of MLflow's or folder (default champion)"
    )
    parser.add_argument("--host", default=LOOPBACK, help=f"address to listen on (default {LOOPBACK})")
    parser.add_argument("--port", type=int, default=5001, help="default 5001")
    parser.add_argument("--workers", type=int, default=1, help="processes with a model each (default 1)")
    parser.add_argument(
        "--fetch", type=Path, metavar="FOLDER", help="serve nothing: put the model there, for a container"
    )
    arguments = parser.parse_args()
    registered_model = load_params().source.registered_model

    from ferflow.tracking.served_folder import fetch_model

    with tempfile.TemporaryDirectory(prefix="ferflow-serve-") as copied:
        folder = fetch_model(arguments.model, registered_model, Path(copied))
        if arguments.fetch:
            with atomic_folder(arguments.fetch) as written:
                shutil.copytree(folder, written, dirs_exist_ok=True)
            print(f"serve: {arguments.model} is in {arguments.fetch}", flush=True)
            return
        serve(arguments.model, folder, arguments)


def serve(title: str, folder: Path, arguments: argparse.Namespace) -> None:
    """Serve the model in a folder until interrupted."""
    import uvicorn

    from ferflow.tracking.scoring_app import MODEL

    os.environ[MODEL] = str(folder)
    print(f"serve: opening {title}, for requests to /invocations", flush=True)
    uvicorn.run(
        "ferflow.tracking.scoring_app:make_app",
        factory=True,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        access_log=False,
    )


if __name__ == "__main__":
    run(main)
