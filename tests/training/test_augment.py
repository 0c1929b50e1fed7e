from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ferflow.params import AugmentParams
from ferflow.params.training import OcclusionParams
from ferflow.training.augment import make_augmentation

Array = npt.NDArray[Any]

COUNT = 64
HEIGHT, WIDTH = 40, 50
MIDDLE = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
PHOTOGRAPHS = np.random.default_rng(0).integers(0, 256, (COUNT, HEIGHT, WIDTH, 1), dtype=np.uint8)
# With which a transform can be read from rounded gray levels: of its matrix, and in pixels.
PRECISION, PIXELS = 0.03, 0.15
EVERYTHING = AugmentParams(rotation=25.0, shift=0.2, shear=20.0, zoom=0.2, horizontal_flip=True)
APPEARANCE = AugmentParams(
    brightness=0.2, contrast=0.3, noise=0.05, occlusion=OcclusionParams(probability=0.5, max_area=0.3)
)
GRAY = np.full((COUNT, HEIGHT, WIDTH, 1), 100, dtype=np.uint8)


def augmented(params: AugmentParams, images: Array, seed: int = 11, step: int = 5) -> Array:
    augment = make_augmentation(params, seed)
    assert augment is not None
    result: Array = augment(images, np.int64(step)).numpy()
    return result


def recovered(params: AugmentParams, step: int = 5) -> tuple[Array, Array]:
    """Return the transform of each image, measured on two ramps, as matrix and shift of the middle.

    A ramp's gray level tells from which column (or row) a pixel came; what happens to an image
    depends on its position in the batch, not on its content, so both ramps are moved alike.
    """
    gray_levels = 5
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    came_from = [
        augmented(params, np.broadcast_to(ramp, (COUNT, HEIGHT, WIDTH))[..., None], step=step) / gray_levels
        for ramp in ((x * gray_levels).astype(np.uint8), (y * gray_levels).astype(np.uint8))
    ]
    # Around the middle, so that what is measured came from inside of the image.
    window = (slice(HEIGHT // 2 - 6, HEIGHT // 2 + 6), slice(WIDTH // 2 - 6, WIDTH // 2 + 6))
    design = np.stack([x[window] - MIDDLE[0], y[window] - MIDDLE[1], np.ones_like(x[window])], -1)
    target = np.stack([values[(slice(None), *window)].reshape(COUNT, -1) for values in came_from], -1)
    fits = [np.linalg.lstsq(design.reshape(-1, 3), values, rcond=None)[0].T for values in target]
    solved = np.array(fits)
    # Gray levels are rounded down, by half a level on average.
    return solved[:, :, :2], solved[:, :, 2] - MIDDLE + 0.5 / gray_levels


def assert_spread(values: Array, bound: float, tolerance: float) -> None:
    """Assert that `values` stay within ±bound, use most of that range, and both sides of it."""
    assert np.abs(values).max() <= bound + tolerance
    assert values.min() < -0.7 * bound and values.max() > 0.7 * bound
    assert abs(values.mean()) < 0.35 * bound


@pytest.mark.parametrize("params", [AugmentParams(), AugmentParams(mixup=0.2, cutmix=1.0)])
def test_nothing_asked_for_is_no_function(params: AugmentParams) -> None:
    assert make_augmentation(params, 0) is None


def test_flip_mirrors_half_of_the_images_exactly() -> None:
    flipped = augmented(AugmentParams(horizontal_flip=True), PHOTOGRAPHS)
    same = (flipped == PHOTOGRAPHS).all(axis=(1, 2, 3))
    mirrored = (flipped == PHOTOGRAPHS[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert COUNT / 4 < mirrored.sum() < COUNT * 3 / 4


def test_shift_moves_and_does_nothing_else() -> None:
    matrices, shifts = recovered(AugmentParams(shift=0.2))
    np.testing.assert_allclose(matrices, np.broadcast_to(np.eye(2), matrices.shape), atol=PRECISION)
    assert_spread(shifts[:, 0], 0.2 * WIDTH, PIXELS)
    assert_spread(shifts[:, 1], 0.2 * HEIGHT, PIXELS)


def test_rotation_turns_about_the_middle() -> None:
    matrices, shifts = recovered(AugmentParams(rotation=30.0))
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    expected = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    np.testing.assert_allclose(matrices, expected, atol=PRECISION)
    assert_spread(np.degrees(angles), 30.0, 1.0)
    np.testing.assert_allclose(shifts, 0.0, atol=PIXELS)


def test_rotation_keeps_a_mark_in_the_middle() -> None:
    images = np.zeros((COUNT, 33, 33, 1), dtype=np.uint8)
    images[:, 16, 16] = 255
    turned = augmented(AugmentParams(rotation=180.0), images)
    assert (turned[:, 16, 16] > 250).all()
    assert (np.delete(turned.reshape(COUNT, -1), 16 * 33 + 16, axis=1) < 250).all()


def test_zoom_scales_each_axis_about_the_middle() -> None:
    matrices, shifts = recovered(AugmentParams(zoom=0.3))
    np.testing.assert_allclose(matrices[:, [0, 1], [1, 0]], 0.0, atol=PRECISION)
    for axis in (0, 1):
        assert_spread(matrices[:, axis, axis] - 1.0, 0.3, PRECISION)
    np.testing.assert_allclose(shifts, 0.0, atol=PIXELS)


def test_shear_is_that_of_the_image_data_generator() -> None:
    matrices, shifts = recovered(AugmentParams(shear=30.0))
    angles = np.arctan2(-matrices[:, 0, 1], matrices[:, 1, 1])
    # Keras's apply_affine_transform: [[1, -sin(shear)], [0, cos(shear)]], an angle in degrees.
    expected = np.array([[[1.0, -np.sin(a)], [0.0, np.cos(a)]] for a in angles])
    np.testing.assert_allclose(matrices, expected, atol=PRECISION)
    assert_spread(np.degrees(angles), 30.0, 1.0)
    np.testing.assert_allclose(shifts, 0.0, atol=PIXELS)


def test_all_together_are_rotation_then_shear_then_zoom() -> None:
    matrices, _ = recovered(EVERYTHING.model_copy(update={"shift": 0.0, "horizontal_flip": False}))
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    sheared = np.arctan2(-matrices[:, 0, 1], matrices[:, 1, 1]) - angles
    zoom = np.linalg.norm(matrices, axis=1)
    assert_spread(np.degrees(angles), 25.0, 1.5)
    assert_spread(np.degrees(sheared), 20.0, 2.5)
    assert_spread(zoom[:, 0] - 1.0, 0.2, PRECISION)
    assert_spread(zoom[:, 1] - 1.0, 0.2, PRECISION)


@pytest.mark.parametrize("level", [0, 100, 255])
def test_no_corner_is_filled_with_another_colour(level: int) -> None:
    images = np.full((COUNT, HEIGHT, WIDTH, 1), level, dtype=np.uint8)
    # Interpolated weights sum to 1 but for rounding, and gray levels are rounded down.
    np.testing.assert_allclose(augmented(EVERYTHING, images).astype(int), level, atol=1)


def test_what_comes_from_outside_is_the_nearest_pixel() -> None:
    images = np.zeros((COUNT, HEIGHT, WIDTH, 1), dtype=np.uint8)
    images[:, :, -1] = 200  # the right edge
    shifted = augmented(AugmentParams(shift=0.3), images)
    moved_in = (shifted[:, HEIGHT // 2, :, 0] >= 190).sum(axis=1)
    assert moved_in.max() > 0.15 * WIDTH  # the edge repeated, not one bright column


def test_the_same_seed_and_step_give_the_same_images() -> None:
    first, again = augmented(EVERYTHING, PHOTOGRAPHS), augmented(EVERYTHING, PHOTOGRAPHS)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(("seed", "step"), [(11, 6), (12, 5)])
def test_another_seed_or_step_gives_other_images(seed: int, step: int) -> None:
    first = augmented(EVERYTHING, PHOTOGRAPHS)
    other = augmented(EVERYTHING, PHOTOGRAPHS, seed=seed, step=step)
    assert (first != other).any(axis=(1, 2, 3)).all()


def test_each_image_of_a_batch_is_changed_in_its_own_way() -> None:
    images = np.broadcast_to(PHOTOGRAPHS[:1], PHOTOGRAPHS.shape)
    assert len(np.unique(augmented(EVERYTHING, images), axis=0)) == COUNT


@pytest.mark.parametrize("params", [EVERYTHING, APPEARANCE], ids=["geometry", "appearance"])
@pytest.mark.parametrize("shape", [(1, 48, 48, 1), (5, 20, 31, 1), (3, 16, 16, 3)])
def test_shape_and_type_are_kept(params: AugmentParams, shape: tuple[int, ...]) -> None:
    result = augmented(params, np.zeros(shape, dtype=np.uint8))
    assert result.shape == shape and result.dtype == np.uint8


def test_brightness_moves_all_pixels_of_an_image_alike() -> None:
    difference = augmented(AugmentParams(brightness=0.2), GRAY).astype(int) - 100
    assert (np.ptp(difference, axis=(1, 2, 3)) == 0).all()
    assert_spread(difference[:, 0, 0, 0], 0.2 * 255, 0.5)


def test_brightness_stops_at_black_and_at_white() -> None:
    images = np.broadcast_to(np.array([[5], [250]], np.uint8)[..., None], (COUNT, 2, 4, 1))
    lit = augmented(AugmentParams(brightness=0.9), images)
    assert set(lit.min(axis=(1, 2, 3)).tolist()) >= {0}, "nothing has become black"
    assert set(lit.max(axis=(1, 2, 3)).tolist()) >= {255}, "nothing has become white"
    assert (lit[:, 0] <= lit[:, 1]).all(), "a gray level has run over"


def test_contrast_scales_about_the_mean_of_the_image() -> None:
    images = np.full((COUNT, 4, 4, 1), 60, dtype=np.uint8)
    images[:, 2:] = 180
    low, high = (augmented(AugmentParams(contrast=0.4), images)[:, row, 0, 0].astype(int) for row in (0, 3))
    np.testing.assert_allclose(low + high, 240, atol=1)
    assert_spread((high - low) / 120 - 1, 0.4, 0.01)


def test_noise_has_its_standard_deviation_in_every_image() -> None:
    difference = augmented(AugmentParams(noise=0.04), GRAY).astype(float) - 100
    np.testing.assert_allclose(difference.std(axis=(1, 2, 3)), 0.04 * 255, rtol=0.1)
    assert abs(difference.mean()) < 0.2
    assert len(np.unique(difference, axis=0)) == COUNT


def test_occlusion_hides_a_rectangle_of_the_stated_area() -> None:
    params = AugmentParams(occlusion=OcclusionParams(probability=1.0, min_area=0.1, max_area=0.3))
    gradient = np.broadcast_to(np.arange(WIDTH, dtype=np.uint8)[None, :, None], (COUNT, HEIGHT, WIDTH, 1))
    occluded = augmented(params, gradient)
    areas, aspects, levels = [], [], []
    for image, original in zip(occluded[..., 0], gradient[..., 0], strict=True):
        rows, columns = np.nonzero(image != original)
        box = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (box == box[0, 0]).all(), "it is no rectangle of one gray level"
        areas.append(box.size / image.size)
        aspects.append((box.shape[0] / HEIGHT) / (box.shape[1] / WIDTH))
        levels.append(box[0, 0])
    cut = 1.5 / HEIGHT  # an edge may cut a row of pixels
    assert 0.1 - cut < min(areas) < 0.14 and 0.26 < max(areas) < 0.3 + cut
    assert np.mean(areas) == pytest.approx(0.2, abs=0.02)
    assert min(aspects) < 0.5 and max(aspects) > 2.0
    assert min(levels) < 60 and max(levels) > 200


def test_what_hides_a_face_is_not_turned_with_it() -> None:
    occlusion = OcclusionParams(probability=1.0, min_area=0.1, max_area=0.3)
    alone = augmented(AugmentParams(occlusion=occlusion), GRAY)
    turned = augmented(AugmentParams(occlusion=occlusion, rotation=60.0, shear=30.0, zoom=0.3), GRAY)
    hidden = alone != GRAY
    np.testing.assert_array_equal(turned[hidden], alone[hidden])
    np.testing.assert_allclose(turned[~hidden].astype(int), 100, atol=1)


def test_occlusion_hits_the_stated_share_of_images() -> None:
    images = np.repeat(GRAY, 4, axis=0)
    occluded = augmented(AugmentParams(occlusion=OcclusionParams(probability=0.25)), images)
    hit = (occluded != 100).any(axis=(1, 2, 3)).mean()
    assert hit == pytest.approx(0.25, abs=0.08)


def test_occlusion_comes_to_every_side() -> None:
    params = AugmentParams(occlusion=OcclusionParams(probability=1.0, min_area=0.2, max_area=0.2))
    hidden = np.mean([augmented(params, GRAY, step=step) != 100 for step in range(8)], axis=(0, 1))[..., 0]
    for edge in (hidden[0], hidden[-1], hidden[:, 0], hidden[:, -1]):
        assert edge.max() > 0
    np.testing.assert_allclose(hidden, hidden[::-1, ::-1], atol=0.12)


def test_one_change_does_not_disturb_another() -> None:
    alone = augmented(AugmentParams(brightness=0.2), GRAY)
    turned = augmented(AugmentParams(brightness=0.2, rotation=30.0, horizontal_flip=True), GRAY)
    np.testing.assert_array_equal(alone, turned)


def test_changes_of_one_step_are_independent() -> None:
    matrices, _ = recovered(AugmentParams(rotation=30.0))
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    stripes = np.broadcast_to(np.array([60, 180], np.uint8)[:, None, None], (COUNT, 2, 4, 1))
    contrasts = np.ptp(augmented(AugmentParams(contrast=0.4), stripes), axis=(1, 2, 3))
    levels = augmented(AugmentParams(brightness=0.3), GRAY)[:, 0, 0, 0]
    for one, other in ((angles, contrasts), (angles, levels), (contrasts, levels)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.4


@pytest.mark.parametrize(("seed", "step"), [(11, 6), (12, 5)])
def test_another_seed_or_step_gives_another_appearance(seed: int, step: int) -> None:
    first = augmented(APPEARANCE, PHOTOGRAPHS)
    np.testing.assert_array_equal(first, augmented(APPEARANCE, PHOTOGRAPHS))
    assert (first != augmented(APPEARANCE, PHOTOGRAPHS, seed=seed, step=step)).any(axis=(1, 2, 3)).all()
