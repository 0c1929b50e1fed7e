"""The models that the page offers: opened when they are first asked for, and a few kept open."""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from ferflow.errors import FerflowError, without_credentials
from ferflow.serving.classifiers import OpenedModel
from ferflow.serving.predictor import Predictor

#: Two are compared, and one of them is exchanged.
_KEPT_OPEN: Final = 3
#: For a store that answers at once: what it says is told without delay.
_SECONDS_TO_WAIT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Standing:
    """What the registry said last.

    Attributes:
        versions: What people call each version, by number, the newest first.
        champion: The number of the champion; None if there is none.
        answers: Whether the registry answered the last time it was asked.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    champion: str | None = None
    answers: bool = True


class Registry:
    """The versions of a registered model, asked for in the background: no page waits long for a dead store.

    Args:
        ask: Returns the versions by number and the champion's number, or raises a `FerflowError`.
        seconds: Between two questions to it, however many pages are open.
    """

    def __init__(
        self, ask: Callable[[], tuple[Mapping[str, str], str | None]], *, seconds: float = 4.0
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked = float("-inf")
        self._standing = Standing()

    def standing(self, *, wait: bool = False) -> Standing:
        """Return what is known; what is older than some seconds is asked for again meanwhile.

        Args:
            wait: However long that takes; else for half a second.
        """
        with self._lock:
            is_asking = self._asking is not None and self._asking.is_alive()
            if not is_asking and time.monotonic() - self._asked > self._seconds:
                self._asked = time.monotonic()
                # A daemon: a store that does not answer must not keep the page from ending.
                self._asking = threading.Thread(target=self._refresh, daemon=True, name="registry")
                self._asking.start()
            asking = self._asking
        if asking is not None:
            asking.join(None if wait else _SECONDS_TO_WAIT)
        return self._standing

    def _refresh(self) -> None:
        try:
            self._standing = Standing(*self._ask())
        except FerflowError as error:
            if self._standing.answers:
                print(f"warning: {without_credentials(str(error))}", file=sys.stderr, flush=True)
            self._standing = Standing(self._standing.versions, self._standing.champion, answers=False)


class Models:
    """Opened models by their keys: a version's number, or `given` for one that is in no registry.

    Args:
        given: The model that the page was started with.
        open_version: Opens a version by its number; None if the model is in no registry.
    """

    GIVEN: Final = "given"

    def __init__(self, given: OpenedModel, open_version: Callable[[str], OpenedModel] | None) -> None:
        self.given = given.details.get("version") or self.GIVEN
        self._open_version = open_version
        self._lock = threading.Lock()
        self._open = OrderedDict({self.given: Predictor(given)})
        self._opening: dict[str, Future[Predictor]] = {}

    def predictor(self, key: str) -> Predictor:
        """Return an opened model; who asks for one that is being opened waits for that.

        Raises:
            FerflowError: There is none of this key, or it cannot be opened.
        """
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
            if self._open_version is None or not key.isdecimal():
                raise FerflowError(f"there is no model '{key}': reload the page.")
            coming = self._opening.get(key)
            is_ours = coming is None
            if coming is None:
                coming = self._opening[key] = Future()
        if is_ours:
            self._finish(key, coming, self._open_version)
        return coming.result()

    def _finish(
        self, key: str, coming: Future[Predictor], open_version: Callable[[str], OpenedModel]
    ) -> None:
        """Open a version, for all who wait for it; nobody waits for it who asks for another one."""
        try:
            opened = Predictor(open_version(key))
        except BaseException as error:
            with self._lock:
                del self._opening[key]
            coming.set_exception(error)
            return
        with self._lock:
            del self._opening[key]
            self._open[key] = opened
            while len(self._open) > _KEPT_OPEN:
                self._open.popitem(last=False)
        coming.set_result(opened)
