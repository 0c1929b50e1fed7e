from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ferflow.evaluation.robustness.corruptions import CORRUPTIONS, SEVERITIES, Images, corrupt
from ferflow.evaluation.robustness.occlusion import EYES

from .tables import pictures


def distances(clean: Images, damaged: Images) -> npt.NDArray[np.float64]:
    return np.asarray(np.abs(damaged.astype(float) - clean).mean(axis=(1, 2, 3)), dtype=np.float64)


@pytest.mark.parametrize("corruption", CORRUPTIONS)
@pytest.mark.parametrize(
    "images", [pictures(), pictures(3, 40, 56, 3)], ids=["gray 48 x 48", "colour 40 x 56"]
)
def test_a_higher_severity_is_further_from_the_clean_image(corruption: str, images: Images) -> None:
    by_severity = [distances(images, corrupt(images, corruption, severity)) for severity in SEVERITIES]
    assert (by_severity[0] > 0).all()
    assert (np.diff(np.stack(by_severity), axis=0) > 0).all()


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_an_image_is_damaged_alike_wherever_it_stands(corruption: str) -> None:
    images = pictures()
    order = [4, 0, 5, 2, 1, 3]
    together = corrupt(images, corruption, 3)
    np.testing.assert_array_equal(corrupt(images[order], corruption, 3), together[order])
    alone = np.concatenate([corrupt(image[None], corruption, 3) for image in images])
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_the_clean_images_stay_as_they_are(corruption: str) -> None:
    images = pictures()
    before = images.copy()
    damaged = corrupt(images, corruption, 5)
    np.testing.assert_array_equal(images, before)
    assert damaged.dtype == np.uint8
    assert damaged.shape == images.shape


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_extreme_images_do_not_wrap_around(corruption: str) -> None:
    """Bright stays bright: 255 and a little more is 255, not 0."""
    white = corrupt(np.full((1, 48, 48, 1), 255, np.uint8), corruption, 1)
    black = corrupt(np.zeros((1, 48, 48, 1), np.uint8), corruption, 1)
    if corruption != "eyes_covered":
        assert white.min() > 200
    assert black.max() < 55


def test_noise_differs_between_images_and_has_the_deviation_that_it_says() -> None:
    gray = np.full((2, 48, 48, 1), 128, np.uint8)
    gray[1, 0, 0] = 129
    first, second = corrupt(gray, "noise", 5).astype(float) - 128
    assert first.std() == pytest.approx(0.18 * 255, rel=0.05)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1


def covered_of_lower_quarter(side: int, corruption: str) -> float:
    images = np.full((1, side, side, 1), 255, np.uint8)
    images[:, : side * 3 // 4] = 0
    return 1 - float(corrupt(images, corruption, 3)[:, side * 3 // 4 :].mean()) / 255


@pytest.mark.parametrize("side", [24, 48, 100])
def test_a_hand_is_as_large_a_part_of_the_face_in_images_of_any_size(side: int) -> None:
    # Of an ellipse about 0.8 of the height, 0.44 wide and 0.264 high, 73.5 % lie below 0.75.
    expected = 0.735 * np.pi / 4 * 0.44 * 0.264 / 0.25
    assert covered_of_lower_quarter(side, "mouth_covered") == pytest.approx(expected, abs=0.005)
    assert covered_of_lower_quarter(side, "eyes_covered") == 0


@pytest.mark.parametrize("side", [24, 48, 61])
def test_a_bar_is_as_large_a_part_of_the_face_in_images_of_any_size(side: int) -> None:
    for severity, height in zip(SEVERITIES, (0.02, 0.05, 0.10, 0.16, 0.25), strict=True):
        damaged = corrupt(np.full((1, side, side, 1), 255, np.uint8), "eyes_covered", severity)
        assert 1 - damaged.mean() / 255 == pytest.approx(0.76 * height, abs=0.004)


def test_hand_and_bar_stay_off_each_others_place() -> None:
    images = pictures()
    hand, bar = corrupt(images, "mouth_covered", 5), corrupt(images, "eyes_covered", 5)
    np.testing.assert_array_equal(hand[:, :28], images[:, :28])
    np.testing.assert_array_equal(bar[:, 28:], images[:, 28:])
    assert (bar[:, round(48 * EYES), 10:38] == 0).all()
    # The hand is of one gray, the face's own.
    of_hand = hand[:, 34:42, 20:28]
    assert (of_hand == of_hand[:, :1, :1]).all()


def test_images_turn_to_both_sides_and_about_their_middle() -> None:
    images = np.repeat(np.zeros((1, 49, 49, 1), np.uint8), 40, axis=0)
    images[:, 24, :] = 200
    images[:, 0, 0, 0] = np.arange(40)  # so that each draws its own side
    turned = corrupt(images, "rotation", 5)
    assert (turned[:, 24, 24, 0] > 150).all()
    falls = turned[:, 30:, 36:, 0].max(axis=(1, 2)) > 100
    assert 8 <= falls.sum() <= 32
    assert (turned[~falls, :19, 36:, 0].max(axis=(1, 2)) > 100).all()


def test_low_resolution_leaves_no_detail_finer_than_its_pixels() -> None:
    images = np.zeros((1, 48, 48, 1), np.uint8)
    images[:, :, ::2] = 200
    assert np.ptp(corrupt(images, "low_resolution", 5)) <= 1


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 8, 8, 1), np.float32), np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 4), np.uint8)],
)
def test_other_arrays_are_refused(images: Images) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        corrupt(images, "blur", 1)
