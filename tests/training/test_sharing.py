from __future__ import annotations

import pytest

from ferflow.errors import FerflowError
from ferflow.training.devices import Device
from ferflow.training.sharing import require_equal_shares, shareable, validation_batch


def gpus(count: int) -> Device:
    return Device("gpu", count, "float32")


def test_a_batch_that_gpus_cannot_share_is_refused() -> None:
    require_equal_shares(32, gpus(4))
    with pytest.raises(
        FerflowError, match="batch_size 32 cannot be shared equally by 3 GPUs: use a multiple"
    ):
        require_equal_shares(32, gpus(3))


@pytest.mark.parametrize(
    ("samples", "count", "expected"),
    [(33, 1, 33), (33, 2, 32), (34, 2, 34), (35, 2, 35), (35, 4, 32), (32, 4, 32), (15, 4, 12), (4, 4, 4)],
)
def test_no_gpu_is_left_without_an_image_of_a_batch(samples: int, count: int, expected: int) -> None:
    assert shareable(samples, 16, gpus(count)) == expected


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("samples", [64, 300, 3543, 3589])
def test_validation_leaves_no_image_out(samples: int, count: int) -> None:
    size = validation_batch(samples, gpus(count))
    assert 0 < size <= 256 and size % count == 0
    assert samples % size == 0 or samples % size >= count


def test_one_device_validates_in_the_largest_batches() -> None:
    assert validation_batch(3589, gpus(1)) == 256
    assert validation_batch(100, gpus(1)) == 100


@pytest.mark.parametrize("share", [lambda: shareable(3, 16, gpus(4)), lambda: validation_batch(5, gpus(4))])
def test_fewer_images_than_gpus_is_one_line(share: object) -> None:
    assert callable(share)
    with pytest.raises(FerflowError, match="cannot be shared by 4 GPUs: let fewer be seen"):
        share()
