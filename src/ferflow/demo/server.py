"""The page on a port: bound before anything is opened, served until it is interrupted, leaving no file."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import tempfile
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ferflow.demo.blocks import import_gradio
from ferflow.demo.doors import Doors
from ferflow.errors import FerflowError

if TYPE_CHECKING:
    import gradio as gr

_SECONDS_TO_FINISH: Final = 2


def bound(host: str, port: int) -> socket.socket:
    """Return a socket at an address, on which nobody is served yet.

    Raises:
        FerflowError: The port is taken or may not be used, or there is no such host.
    """
    try:
        if not 0 <= port < 2**16:
            raise OverflowError
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except (socket.gaierror, OverflowError, UnicodeError):
        raise FerflowError(f"there is no address '{host}' with port {port} on this machine.") from None
    found = socket.socket(family)
    # What the last page left in the port's queue of closed connections does not keep it.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        # Reserves it too where another one has bound it the same way; nobody is answered until the page is.
        found.listen()
    except OSError as error:
        found.close()
        raise FerflowError(
            f"port {port} of {host} cannot be used ({error.strerror}): choose another one with --port."
        ) from None
    return found


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens on a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def private_folder() -> Iterator[None]:
    """Let Gradio have a temporary folder of its own for the block, which only this user can read.

    It is meant to stay empty: no route that writes into it is open.
    """
    with tempfile.TemporaryDirectory(prefix="ferflow-demo-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        yield


def serve(blocks: gr.Blocks, bound_socket: socket.socket, host: str) -> None:
    """Serve the page until the process is interrupted or asked to end.

    Args:
        blocks: The page.
        bound_socket: Where.
        host: The name that was asked for.
    """
    import uvicorn

    config = uvicorn.Config(
        application(blocks, host),
        log_level="warning",
        # Pages keep a connection open.
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
        server_header=False,
        ws="none",
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[bound_socket])


def application(blocks: gr.Blocks, host: str) -> Any:
    """Return the page as an ASGI application, behind its doors."""
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
    names = frozenset({host, "localhost", "127.0.0.1", "[::1]"}) if is_loopback(host) else None
    return Doors(app, names)


def _theme(gr: Any) -> Any:
    """Return a theme without any font that would have to be fetched."""
    return gr.themes.Base(
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "DejaVu Sans Mono", "monospace"],
    )
