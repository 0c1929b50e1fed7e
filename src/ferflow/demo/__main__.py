"""The page to try a model: `python -m ferflow.demo [--model champion] [--host 127.0.0.1] [--port 7860]`."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ferflow.errors import FerflowError
from ferflow.serving.opening import CHAMPION
from ferflow.stage import heavy_imports, run

if TYPE_CHECKING:
    import gradio as gr

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 7860


def main() -> None:
    """Open a model and the face detector, then serve the page until it is interrupted.

    Raises:
        FerflowError: Gradio is not installed, the port cannot be used, or there is no such model.
    """
    arguments = _arguments()
    if importlib.util.find_spec("gradio") is None:
        raise FerflowError("the page needs Gradio, which is not installed: pip install 'ferflow[demo]'.")
    from ferflow.demo.server import bound, is_loopback, private_folder, serve

    with bound(arguments.host, arguments.port) as listening, private_folder():
        host, port = listening.getsockname()[:2]
        if not is_loopback(arguments.host):
            _say(f"warning: whoever reaches {host} can use the page: it asks for no password.")
        _say(f"opening {arguments.model} and the face detector …")
        page = _page(arguments.model)
        shown = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        print(f"the page is open: http://{shown}:{port} (Ctrl-C ends it)", flush=True)
        serve(page, listening, arguments.host)


def _page(model: str) -> gr.Blocks:
    """Return the page, all that answers it opened and tried once: the first picture waits for nothing."""
    from ferflow.demo.answering import Answering
    from ferflow.demo.blocks import page
    from ferflow.demo.offer import Models, Registry
    from ferflow.demo.samples import samples
    from ferflow.serving.faces import FaceDetector
    from ferflow.serving.opening import open_model
    from ferflow.tracking import stored_models

    given = open_model(model)
    name = given.details.get("registered_model")
    if name is None or "version" not in given.details:
        models, registry = Models(given, None), None
    else:

        def ask() -> tuple[Mapping[str, str], str | None]:
            return stored_models.versions(name), stored_models.champion_number(name)

        models = Models(given, lambda number: open_model(f"models:/{name}/{number}"))
        registry = Registry(ask)
        registry.standing(wait=True)
    shown = samples()
    answering = Answering(models, registry, FaceDetector(), shown)
    for sample, each in shown.items():
        answering.answer({"sample": sample, "is_face": each.is_face, "first": models.given})
    with heavy_imports():
        return page(answering, given, models.given, shown)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ferflow.demo", description="A page to try a model.")
    parser.add_argument(
        "--model",
        default=CHAMPION,
        help="an alias or a version of the registered model, a .keras or .onnx file, a run, an address of "
        "MLflow's (default: %(default)s)",
    )
    parser.add_argument(
        "--host", default=LOOPBACK, help="where it listens (default: %(default)s, this machine)"
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help="0 takes any that is free (default: %(default)s)"
    )
    return parser.parse_args()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main)
