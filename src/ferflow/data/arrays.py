"""The array of images on disk: written row by row in flat memory, read memory-mapped."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ferflow.errors import FerflowError

Images = npt.NDArray[np.uint8]


def open_images(path: Path) -> Images:
    """Return the images in `path` as a read-only memory map, uint8 of shape (N, H, W, C).

    Raises:
        FerflowError: The file is missing or is not such an array.
    """
    try:
        # Stricter than np.load, which would also open pickles and zips, and differ in its errors.
        images: Images = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise FerflowError(f"{path} is missing: run `dvc repro` to make it.") from None
    except (ValueError, OSError) as error:
        raise FerflowError(f"{path} cannot be read ({error}): delete it and run `dvc repro`.") from None
    if images.dtype != np.uint8 or images.ndim != 4:
        raise FerflowError(f"{path} holds {images.dtype}{images.shape}, not uint8 (N, H, W, C).")
    return images


class ImageWriter:
    """Append batches of images to a .npy file whose length is not known beforehand.

    Memory stays that of one batch, however many images there are. The file is valid once the
    `with` block has ended.

    Args:
        path: The file to write.
        image_shape: (H, W, C) of every image.
    """

    def __init__(self, path: Path, image_shape: tuple[int, int, int]) -> None:
        self._path = path
        self._image_shape = image_shape
        self._count = 0
        self._stream: BinaryIO = path.open("wb")
        self._write_header()

    def append(self, batch: Images) -> None:
        """Write a batch, uint8 of shape (n, H, W, C), behind what is there."""
        if batch.dtype != np.uint8 or batch.shape[1:] != self._image_shape:
            raise ValueError(f"expected uint8 (n, {self._image_shape}), got {batch.dtype} {batch.shape}")
        self._stream.write(np.ascontiguousarray(batch).data)
        self._count += len(batch)

    def _write_header(self) -> None:
        # NumPy pads the header so that the first axis can grow without moving the data.
        header = {"descr": "|u1", "fortran_order": False, "shape": (self._count, *self._image_shape)}
        self._stream.seek(0)
        np.lib.format.write_array_header_1_0(self._stream, header)

    def __enter__(self) -> ImageWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._write_header()
        self._stream.close()
