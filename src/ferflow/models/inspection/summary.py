"""Keras's summary of a model as a text file, the same wherever it is made."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Final

import keras

_COLUMNS: Final = 100


def summary(model: keras.Model) -> str:
    """Return Keras's summary, nested networks layer by layer, in lines of at most 100 columns.

    Args:
        model: Any built model.
    """
    parts: list[str] = []
    with _console():
        model.summary(line_length=_COLUMNS, expand_nested=True, print_fn=parts.append)
    lines = [line.rstrip() for line in "\n".join(parts).splitlines()]
    return "\n".join(lines).rstrip() + "\n"


@contextlib.contextmanager
def _console() -> Iterator[None]:
    """Have `rich`, by which Keras draws its table, see a console that is wide enough and knows all lines.

    It asks the environment for the width and standard output for its encoding, though it prints to neither,
    and would cut off columns and draw the frame in ASCII.
    """
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(_COLUMNS)
    try:
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
            yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
