"""A short cut for the commonest face data set: many small gray JPEGs of one size, from one program.

Around each of them, Pillow and the set-up of its decoder take longer than decoding does. A TIFF may hold
JPEGs as its strips; put together as one, a hundred are decoded in one call, by the same library and to the
same pixels. Whatever is not plain (colours, EXIF data, damage that shows) is left to Pillow.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Sequence
from typing import Final

from PIL.TiffImagePlugin import TiffImageFile

_START_OF_IMAGE: Final = b"\xff\xd8"
_END_OF_IMAGE: Final = b"\xff\xd9"
_BASELINE_FRAME: Final = 0xFFC0
_START_OF_SCAN: Final = 0xFFDA
#: Huffman and quantisation tables, the JFIF header and comments: they do not change how a picture is shown.
_PASSED_OVER: Final = frozenset({0xFFC4, 0xFFDB, 0xFFE0, 0xFFFE})
#: Anything but data in the data of a scan.
_MARKER: Final = re.compile(b"\xff[^\x00]")


def plain_header(content: bytes, size: int) -> bytes | None:
    """Return what stands before the data in a plain gray JPEG; None for any other content.

    Plain is a baseline JPEG with one 8-bit channel of size × size pixels and one scan, without restarts
    and without anything behind it. Such files with equal headers differ in the data of their scans alone.

    Args:
        content: The whole content of a file.
        size: Height and width in pixels.
    """
    if not (content.startswith(_START_OF_IMAGE) and content.endswith(_END_OF_IMAGE)):
        return None
    position = len(_START_OF_IMAGE)
    frames = 0
    marker = 0
    try:
        while marker != _START_OF_SCAN:
            marker, length = struct.unpack_from(">HH", content, position)
            if marker == _BASELINE_FRAME:
                frames += 1
                if struct.unpack_from(">BHHB", content, position + 4) != (8, size, size, 1):
                    return None
            elif marker not in _PASSED_OVER and marker != _START_OF_SCAN:
                return None
            position += 2 + length
    except struct.error:
        return None
    end = _MARKER.search(content, position)
    if frames != 1 or end is None or end.start() != len(content) - len(_END_OF_IMAGE):
        return None
    return content[:position]


def decode_together(jpegs: Sequence[bytes], size: int) -> bytes | None:
    """Return the gray levels of plain JPEGs with equal headers one behind the other, or None.

    None means that not all of them can be decoded.

    Args:
        jpegs: Their contents, at least one.
        size: Their height and width in pixels.
    """
    try:
        with TiffImageFile(io.BytesIO(_as_strips(jpegs, size))) as image:
            levels = image.tobytes()
    except (OSError, ValueError, SyntaxError):
        return None
    return levels if len(levels) == len(jpegs) * size * size else None


def _as_strips(jpegs: Sequence[bytes], size: int) -> bytes:
    """Return a TIFF file with one JPEG as each strip (TIFF 6.0, and its Technical Note 2)."""
    count = len(jpegs)
    lengths = [len(jpeg) for jpeg in jpegs]
    fields = 9
    behind_fields = 8 + 2 + 12 * fields + 4
    offsets = []
    position = behind_fields + 8 * count
    for length in lengths:
        offsets.append(position)
        position += length
    directory = [
        (256, 1, size),  # width
        (257, 1, size * count),  # height
        (258, 1, 8),  # bits of a channel
        (259, 1, 7),  # compression: JPEG
        (262, 1, 1),  # gray, 0 is black
        (273, count, behind_fields if count > 1 else offsets[0]),
        (277, 1, 1),  # channels
        (278, 1, size),  # rows of a strip
        (279, count, behind_fields + 4 * count if count > 1 else lengths[0]),
    ]
    long_integer = 4
    return b"".join(
        [
            struct.pack("<2sHIH", b"II", 42, 8, fields),
            *(struct.pack("<HHII", tag, long_integer, values, value) for tag, values, value in directory),
            struct.pack(f"<I{2 * count}I", 0, *offsets, *lengths),
            *jpegs,
        ]
    )
