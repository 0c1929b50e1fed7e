"""Progress on anything that takes more than a moment: live in a terminal, sparse in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

#: Nothing is shown for work that is done sooner.
_DELAY_SECONDS = 2.0


def progress(
    items: Iterable[Any] | None = None,
    *,
    description: str,
    unit: str,
    total: int | None = None,
    bytes_: bool = False,
) -> tqdm[Any]:
    """Return a progress bar on stderr, over `items` or advanced by hand.

    Args:
        items: What is worked through, or None if the caller calls `update`.
        description: The word in front of the bar.
        unit: What is counted.
        total: How many there are, if it is known and `items` cannot tell.
        bytes_: Whether bytes are counted, to be shown as kB, MB, GB.
    """
    # A log keeps every line that a terminal overwrites.
    interval = 0.2 if sys.stderr.isatty() else 10.0
    options: dict[str, Any] = {"unit_scale": True, "unit_divisor": 1024} if bytes_ else {}
    return tqdm(
        items, desc=description, unit=unit, total=total, delay=_DELAY_SECONDS, mininterval=interval, **options
    )
