"""A batch of images decoded and hashed at once, here or in a process made for it.

Such a process imports this module and no more, so that it is ready in a moment.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import warnings
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from ferflow.data.decode import Edges, RejectedImageError, face, gray_picture, open_file
from ferflow.data.plain_jpegs import decode_together, plain_header

if TYPE_CHECKING:
    from ferflow.data.arrays import Images

#: One face to decode: a file's path or gray levels, and its box (see `gray_picture` and `face`).
Job: TypeAlias = tuple["str | Images", Edges | None]

#: How much of a file is read to see whether the short cut takes it; longer ones are worth Pillow's time.
_BEGINNING_BYTES: Final = 1 << 15
#: Fewer gain nothing; and a header that hardly any other file shares may be damaged, of which the library
#: that reads TIFFs would print a line.
_MIN_TOGETHER: Final = 4
#: Exit status of `serve` when memory does not suffice.
OUT_OF_MEMORY: Final = 12


class DecodedBatch(NamedTuple):
    """What came of a batch; n is the number of jobs that are not rejected.

    Attributes:
        rejections: For each job the reason and the remedy if it is rejected, else None.
        levels: Gray levels of all n images, one byte each, in C order of (n, size, size).
        sha256: Checksum of the gray levels of each.
        sizes: The (width, height) of each before it was resampled.
    """

    rejections: list[tuple[str, str] | None]
    levels: bytes
    sha256: list[str]
    sizes: list[tuple[int, int]]


def decode_batch(jobs: list[Job], size: int) -> DecodedBatch:
    """Decode and hash a batch; jobs with the same content that follow one another decode it once.

    Args:
        jobs: What to decode.
        size: Height and width of the results in pixels.
    """
    rejections: list[tuple[str, str] | None] = []
    levels: list[bytes] = []
    sizes: list[tuple[int, int]] = []
    with warnings.catch_warnings():
        # Pillow's remarks on images that it reads all the same.
        warnings.filterwarnings("ignore", module="PIL")
        ready = _decode_plain_jpegs(jobs, size)
        for _, shared in groupby(enumerate(jobs), key=lambda numbered: _identity(numbered[1])):
            picture = None
            for number, (content, box) in shared:
                try:
                    if number in ready:
                        image, original = ready[number], (size, size)
                    else:
                        if picture is None:
                            picture = gray_picture(content)
                        part, original = face(picture, size, box)
                        image = part.tobytes()
                except RejectedImageError as error:
                    rejections.append((error.reason, error.remedy))
                else:
                    rejections.append(None)
                    levels.append(image)
                    sizes.append(original)
    sha256 = [hashlib.sha256(image).hexdigest() for image in levels]
    return DecodedBatch(rejections, b"".join(levels), sha256, sizes)


def _identity(job: Job) -> object:
    return job[0] if isinstance(job[0], str) else id(job[0])


def _decode_plain_jpegs(jobs: list[Job], size: int) -> dict[int, bytes]:
    """Return the gray levels of what the short cut can take, by the number of the job."""
    alike: dict[bytes, dict[int, bytes]] = {}
    for number, (content, box) in enumerate(jobs):
        if box is None and isinstance(content, str):
            beginning = _beginning(content)
            header = plain_header(beginning, size)
            if header is not None:
                alike.setdefault(header, {})[number] = beginning
    ready: dict[int, bytes] = {}
    length = size * size
    for jpegs in alike.values():
        levels = decode_together(list(jpegs.values()), size) if len(jpegs) >= _MIN_TOGETHER else None
        if levels is not None:
            for place, number in enumerate(jpegs):
                ready[number] = levels[place * length : (place + 1) * length]
    return ready


def _beginning(file: str) -> bytes:
    """Return the first bytes of a file, all of a small one; none if it cannot be read."""
    try:
        descriptor = open_file(file)
    except RejectedImageError:
        return b""
    try:
        return os.read(descriptor, _BEGINNING_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def serve() -> None:
    """Answer each pickled (jobs, size) on standard input with a pickled `DecodedBatch`, until that ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not garble the answers
    try:
        while True:
            jobs, size = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by our own process
            pickle.dump(decode_batch(jobs, size), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
    except (EOFError, BrokenPipeError):
        os._exit(0)  # the other end is done or gone: nothing is left to flush or say
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
