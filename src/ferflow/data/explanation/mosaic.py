"""Faces laid out side by side in one array, which is much faster to draw than one axes for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ferflow.data.arrays import Images


def mosaic(images: Images, rows: Sequence[Sequence[int]], *, columns: int) -> Images:
    """Return faces as one white sheet, uint8, row by row, with a narrow gap between them.

    Args:
        images: uint8 of shape (N, S, S, 1).
        rows: The numbers of the images in each row of the sheet, at most `columns` each.
        columns: Places in a row.
    """
    size, pitch = images.shape[1], pitch_of(images)
    gap = pitch - size
    sheet = np.full((len(rows) * pitch - gap, columns * pitch - gap), 255, dtype=np.uint8)
    for down, row in enumerate(rows):
        for across, number in enumerate(row):
            top, left = down * pitch, across * pitch
            sheet[top : top + size, left : left + size] = images[number, :, :, 0]
    return sheet


def pitch_of(images: Images) -> int:
    """Return from where to where the faces of a mosaic repeat, in pixels."""
    size: int = images.shape[1]
    return size + max(size // 16, 1)
