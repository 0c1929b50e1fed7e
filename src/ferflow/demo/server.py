"""The page on a port: served until it is interrupted, leaving no file."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import warnings
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

from ferflow.demo.blocks import import_gradio
from ferflow.demo.doors import Doors, normal
from ferflow.serving.ports import is_loopback

if TYPE_CHECKING:
    import gradio as gr

_SECONDS_TO_FINISH: Final = 2
#: A page takes six while it opens; a question may hold its picture, 28 MB.
_MOST_CONNECTIONS: Final = 64


@contextlib.contextmanager
def private_folder() -> Iterator[None]:
    """Let Gradio have a temporary folder of its own for the block, which only this user can read.

    It is meant to stay empty: no route that writes into it is open.
    """
    with tempfile.TemporaryDirectory(prefix="ferflow-demo-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        yield


def serve(blocks: gr.Blocks, bound_socket: socket.socket, host: str, names: Collection[str] = ()) -> None:
    """Serve the page until the process is interrupted or asked to end.

    Args:
        blocks: The page.
        bound_socket: Where.
        host: The name that was asked for.
        names: Those of a server in front of it.
    """
    import uvicorn

    config = uvicorn.Config(
        application(blocks, host, names),
        log_level="warning",
        # Pages keep a connection open.
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
        limit_concurrency=_MOST_CONNECTIONS,
        server_header=False,
        ws="none",
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[bound_socket])


def application(blocks: gr.Blocks, host: str, names: Collection[str] = ()) -> Any:
    """Return the page as an ASGI application, behind its doors; arguments as of `serve`."""
    gr = import_gradio()
    from fastapi import FastAPI

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app = gr.mount_gradio_app(
            FastAPI(openapi_url=None),
            blocks,
            path="/",
            theme=_theme(gr),
            footer_links=[],
            run_history=False,
            show_error=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            enable_monitoring=False,
        )
    own = {host.lower(), "localhost", "127.0.0.1", "[::1]"} if is_loopback(host) else None
    return Doors(app, frozenset(blocks.blocks), own, [normal(name) for name in names])


def _theme(gr: Any) -> Any:
    """Return a theme without any font that would have to be fetched."""
    return gr.themes.Base(
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "DejaVu Sans Mono", "monospace"],
    )
