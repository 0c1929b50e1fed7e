"""Where a server listens: looked at before anything is imported or opened for it."""

from __future__ import annotations

import ipaddress
import socket

from ferflow.errors import FerflowError


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
    # What the last server left in the port's queue of closed connections does not keep it.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        # Reserves it too where another one has bound it the same way; who connects waits until it is served.
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


def address(host: str, port: int) -> str:
    """Return where a browser on this machine finds what listens on a host, which may be all of them."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - no address to go to
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
