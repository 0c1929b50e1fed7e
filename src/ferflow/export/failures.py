"""What converters and runtimes raise, as one line for people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ferflow.errors import FerflowError


@contextlib.contextmanager
def told_as(problem: str) -> Iterator[None]:
    """Turn whatever is raised in the block into a FerflowError: the problem, and the reason's first line.

    Args:
        problem: What failed, e.g. `LiteRT cannot hold this model`.
    """
    try:
        yield
    except FerflowError:
        raise
    except Exception as error:
        # Converters and runtimes have errors of many kinds, each derived from Exception alone.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise FerflowError(f"{problem} ({reason})") from error
