"""The one exception that is meant for people, and what no message may show."""

from __future__ import annotations

import re


class FerflowError(Exception):
    """An error the user can act on: what is wrong, where, and what to do, in one line.

    Stages print its message and exit with status 1; they show no traceback for it.
    """


def without_credentials(text: str) -> str:
    """Return an address, or a message with addresses in it, without users, passwords and tokens."""
    text = re.sub(r"(?<=://)[^\s/]*@", "", text)
    return re.sub(
        r"(?i)(?<=[?&\s;])([\w-]*(?:password|passwd|token|secret|signature|credential|key)|sig|auth|pwd)=[^&\s]+",
        r"\1=***",
        text,
    )
