"""The page to try a model: `python -m ferflow.demo [--model champion] [--host …] [--port …] [--name …]`."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ferflow.errors import FerflowError
from ferflow.serving.opening import CHAMPION, MODEL_HELP
from ferflow.serving.ports import address, bound, is_loopback
from ferflow.stage import heavy_imports, run

if TYPE_CHECKING:
    import gradio as gr

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 7860
#: Between two looks for a newer champion.
SECONDS: Final = 5.0


def main() -> None:
    """Open a model and the face detector, then serve the page until it is interrupted.

    Raises:
        FerflowError: Gradio is not installed, the port cannot be used, or there is no such model.
    """
    arguments = _arguments()
    if importlib.util.find_spec("gradio") is None:
        raise FerflowError("the page needs Gradio, which is not installed: pip install 'ferflow[demo]'.")
    with bound(arguments.host, arguments.port) as listening:
        from ferflow.demo.server import private_folder, serve

        if not is_loopback(arguments.host):
            _say("warning: whoever reaches this machine can use the page: it asks for no password.")
        _say(f"opening {arguments.model} and the face detector …")
        with private_folder():
            page = _page(arguments.model, arguments.seconds)
            where = address(arguments.host, listening.getsockname()[1])
            print(f"the page is open: {where} (Ctrl-C ends it)", flush=True)
            serve(page, listening, arguments.host, arguments.name)


def _page(model: str, seconds: float) -> gr.Blocks:
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
        # By the page's next look, the answer is a new one.
        registry = Registry(ask, seconds=0.8 * seconds)
        registry.standing(wait=True)
    shown = samples()
    answering = Answering(models, registry, FaceDetector(), shown)
    for sample, each in shown.items():
        answering.answer({"sample": sample, "is_face": each.is_face, "first": models.given})
    with heavy_imports():
        return page(answering, given, models.given, shown, seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ferflow.demo", description="A page to try a model.")
    parser.add_argument(
        "--model",
        default=CHAMPION,
        help=MODEL_HELP,
    )
    parser.add_argument(
        "--host", default=LOOPBACK, help="where it listens (default: %(default)s, this machine)"
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help="0 takes any that is free (default: %(default)s)"
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        help="the name of a server in front of it, demo.example.org; may be given several times",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        help="between two looks for a newer champion (default: %(default)s)",
    )
    return parser.parse_args()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main)
