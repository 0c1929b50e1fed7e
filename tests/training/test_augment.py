from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ferflow.params import AugmentParams
from ferflow.training.augment import make_augmentation

Array = npt.NDArray[Any]

COUNT = 64
HEIGHT, WIDTH = 40, 50
MIDDLE = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
PHOTOGRAPHS = np.random.default_rng(0).integers(0, 256, (COUNT, HEIGHT, WIDTH, 1), dtype=np.uint8)
# With which a transform can be read from rounded gray levels: of its matrix, and in pixels.
PRECISION, PIXELS = 0.03, 0.15
EVERYTHING = AugmentParams(rotation=25.0, shift=0.2, shear=20.0, zoom=0.2, horizontal_flip=True)


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


def test_nothing_asked_for_is_no_function() -> None:
    assert make_augmentation(AugmentParams(), 0) is None


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


@pytest.mark.parametrize("shape", [(1, 48, 48, 1), (5, 20, 31, 1), (3, 16, 16, 3)])
def test_shape_and_type_are_kept(shape: tuple[int, ...]) -> None:
    result = augmented(EVERYTHING, np.zeros(shape, dtype=np.uint8))
    assert result.shape == shape and result.dtype == np.uint8
