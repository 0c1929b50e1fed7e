"""Networks of `keras.applications` with their weights: fetched by Keras, from a file, or random."""

from __future__ import annotations

import queue
import textwrap
import threading
import traceback
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import keras

from ferflow.errors import FerflowError
from ferflow.files import sha256_of_file
from ferflow.models.layers import BASE

#: Seconds in which a server must say that it is there. Behind a firewall that drops packets, the system's
#: own limit is two minutes for each of the server's addresses.
ANSWER_WITHIN: Final = 5.0
#: Seconds of silence after which a download that has begun is given up.
_STALLED_AFTER: Final = 30.0


def load_base(
    constructor: Any, network: str, *, input_size: int, weights: str | None, weights_sha256: str | None
) -> keras.Model:
    """Return a network without its classification layers, named `layers.BASE`.

    Args:
        constructor: A function of `keras.applications`.
        network: Its name, for messages.
        input_size: Side of the square input in pixels.
        weights: `"imagenet"`, the path of a weights file, or None for random weights.
        weights_sha256: Checksum of that file, checked before it is read; None where there is no file.

    Raises:
        FerflowError: The input is too small for the network, its weights cannot be had, have no or another
            checksum, or are another network's.
    """
    file = None if weights in (None, "imagenet") else _checked_file(str(weights), weights_sha256)
    if file is None and weights_sha256:
        raise FerflowError(
            f"options.weights_sha256 is for a weights file; with weights {weights or 'null'}, remove it."
        )
    shape = (input_size, input_size, 3)
    try:
        with _impatient_downloads():
            base = constructor(include_top=False, weights=None if file else weights, input_shape=shape)
    except ValueError as error:
        raise FerflowError(
            f"input_size: {network} at {input_size} pixels, weights {weights or 'null'}: {_one_line(error)}"
        ) from None
    except Exception as error:
        # Keras raises a bare Exception when its download fails.
        if not isinstance(error, OSError) and "URL fetch failure" not in str(error):
            raise
        raise FerflowError(_not_fetched(network, error)) from None
    if file:
        _load_file(base, network, file)
    # Not by the constructor's `name`, by which EfficientNetV2 finds its blocks.
    return keras.Model(base.input, base.output, name=BASE)


def _checked_file(weights: str, sha256: str | None) -> Path:
    file = Path(weights).expanduser()
    if not file.is_file():
        raise FerflowError(
            f"options.weights: '{weights}' is neither a file, nor imagenet, nor null (random weights)."
        )
    found = sha256_of_file(file)
    if sha256 is None:
        # Without it, another content under the same name would pass for the same training.
        raise FerflowError(f"options.weights: '{weights}' needs its checksum: weights_sha256: {found}")
    if found != sha256.lower():
        raise FerflowError(
            f"options.weights_sha256: {file} has the SHA-256 {found}, not {sha256}: get the right file, or "
            "change the checksum if you trust this one."
        )
    return file


def _load_file(base: keras.Model, network: str, file: Path) -> None:
    try:
        with warnings.catch_warnings():
            # Where a file lacks layers, Keras may say no more than that they stay random.
            warnings.filterwarnings("error", "Skipping nested container")
            base.load_weights(file)
    except (ValueError, OSError, KeyError, TypeError, AttributeError, BadZipFile, UserWarning) as error:
        raise FerflowError(
            f"options.weights: {file} does not hold weights of {network} without its classification layers "
            f"('notop'): {_one_line(error)}"
        ) from None


def _one_line(error: Exception) -> str:
    return textwrap.shorten(str(error), 300, placeholder=" …")


def _not_fetched(network: str, error: Exception) -> str:
    file = _download_target(error)
    missing = f"{file.name} is not in {file.parent}" if file else "they are not in Keras's cache"
    return (
        f"options.weights: {network}'s ImageNet weights cannot be fetched and {missing}: put the file there, "
        f"or give the path of one as `weights`, or use `weights: null` for random ones ({_one_line(error)})."
    )


def _download_target(error: Exception) -> Path | None:
    """Return the file that Keras wanted to write.

    Keras does not say: some files have another name in its cache than on its server, and the cache is
    elsewhere where the home folder cannot be written. The frame in which the download failed knows.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if target := frame.f_locals.get("download_target"):
            return Path(target)
    return None


@contextmanager
def _impatient_downloads() -> Iterator[None]:
    """Make downloads by `urllib`, as Keras makes them, fail soon where nothing answers."""
    urllib.request.install_opener(urllib.request.build_opener(_Impatient))
    try:
        yield
    finally:
        urllib.request.install_opener(urllib.request.build_opener())


class _Impatient(urllib.request.BaseHandler):
    """Asks for a sign of life before each request, and limits how long its server may be silent."""

    def https_request(self, request: urllib.request.Request) -> urllib.request.Request:
        _require_answer(request.full_url)
        request.timeout = _STALLED_AFTER
        return request

    http_request = https_request


def _require_answer(url: str) -> None:
    """Raise a `URLError` unless the server of `url` answers in time, through proxies where there are any.

    In a thread that is left to itself: no timeout of Python's ends the look-up of a name.
    """
    outcome: queue.SimpleQueue[OSError | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            question = urllib.request.Request(url, method="HEAD")  # noqa: S310 - Keras's own address
            urllib.request.build_opener().open(question, timeout=_STALLED_AFTER).close()
        except urllib.error.HTTPError as error:
            error.close()
            outcome.put(None)  # it is there; what it has to say, the download will hear
        except OSError as error:
            outcome.put(error)
        else:
            outcome.put(None)

    threading.Thread(target=ask, daemon=True).start()
    try:
        error = outcome.get(timeout=ANSWER_WITHIN)
    except queue.Empty:
        raise urllib.error.URLError(f"no answer within {ANSWER_WITHIN:g} seconds") from None
    if error is not None:
        raise error if isinstance(error, urllib.error.URLError) else urllib.error.URLError(error)
