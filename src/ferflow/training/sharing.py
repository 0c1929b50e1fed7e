"""Sizes of batches that several GPUs can share.

TensorFlow's strategy wants the first batch of a stream in equal parts, and fails on a GPU that gets no image.
"""

from __future__ import annotations

from ferflow.errors import FerflowError
from ferflow.training.devices import Device


def require_equal_shares(batch_size: int, device: Device) -> None:
    """Raise a `FerflowError` unless all GPUs of `device` get equally many images of a batch."""
    if batch_size % device.count:
        raise FerflowError(
            f"params.yaml: batch_size {batch_size} cannot be shared equally by {device.count} GPUs: use a "
            f"multiple of {device.count}, or let fewer be seen (CUDA_VISIBLE_DEVICES)."
        )


def shareable(samples: int, batch_size: int, device: Device) -> int:
    """Return how many of `samples` images make batches of which every GPU gets a part.

    Raises:
        FerflowError: There are fewer images than GPUs.
    """
    if samples < device.count:
        raise FerflowError(
            f"{samples} images cannot be shared by {device.count} GPUs: let fewer be seen "
            "(CUDA_VISIBLE_DEVICES)."
        )
    if samples < batch_size:
        return samples - samples % device.count
    rest = samples % batch_size
    return samples - rest if rest < device.count else samples


def validation_batch(samples: int, device: Device, at_most: int = 256) -> int:
    """Return a size of batches in which every GPU gets a part of every batch, and no image is left out.

    Raises:
        FerflowError: There is none, because there are too few images.
    """
    count = device.count
    for size in range(min(at_most, samples) // count * count, 0, -count):
        if samples % size == 0 or samples % size >= count:
            return size
    raise FerflowError(
        f"{samples} validation images cannot be shared by {count} GPUs: let fewer be seen "
        "(CUDA_VISIBLE_DEVICES)."
    )
