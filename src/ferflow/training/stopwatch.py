"""How long a training takes, over all processes that it was spread over."""

from __future__ import annotations

import time


class Stopwatch:
    """The seconds of a training: of this process since now, and of those that it goes on from."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def go_on_from(self, seconds: float) -> None:
        """Count these too: what the checkpoint that is gone on with had taken."""
        self._started -= seconds

    @property
    def seconds(self) -> float:
        """So many until now. An epoch that a killed process did not finish counts only once."""
        return time.monotonic() - self._started
