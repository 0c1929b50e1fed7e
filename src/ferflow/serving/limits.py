"""What one request to the server may ask for, and where others than the usual limits are set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ferflow.errors import FerflowError

#: Images in a request: an ensemble of several networks answers so many in seconds.
IMAGES: Final = "FERFLOW_MOST_IMAGES"
#: MiB of a request's body.
MEBIBYTES: Final = "FERFLOW_MOST_MEBIBYTES"
#: Millions of pixels that the image files of a request have together.
MEGAPIXELS: Final = "FERFLOW_MOST_MEGAPIXELS"
#: Seconds for reading a request, and again for answering it: MLflow's own variable.
SECONDS: Final = "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"

#: Connections at once, beyond which a server answers 503: each may hold a whole body.
CONNECTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one request.

    Attributes:
        images: How many.
        size: Of its body in bytes. 16 MiB are some 2,000 images of 48 × 48 pixels as numbers.
        pixels: Of its image files together, as their headers tell. A small file may have very many.
        seconds: Until its images are read.
    """

    images: int = 256
    size: int = 16 * 2**20
    pixels: int = 25_000_000
    seconds: int = 60


USUAL: Final = Limits()


def limits_of(environment: Mapping[str, str] = os.environ) -> Limits:
    """Return the limits that the environment sets, and the usual ones for those that it does not.

    Raises:
        FerflowError: A value is no number above zero.
    """
    return Limits(
        images=_whole(environment, IMAGES, USUAL.images),
        size=_whole(environment, MEBIBYTES, USUAL.size // 2**20) * 2**20,
        pixels=_whole(environment, MEGAPIXELS, USUAL.pixels // 10**6) * 10**6,
        seconds=_whole(environment, SECONDS, USUAL.seconds),
    )


def _whole(environment: Mapping[str, str], name: str, usual: int) -> int:
    text = environment.get(name, str(usual))
    # Nine digits: what is longer is no limit.
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise FerflowError(f"{name} is '{text}': set it to a whole number above 0, or unset it ({usual}).")
    return int(text)
