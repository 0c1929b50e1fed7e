from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from ferflow.params import AugmentParams
from ferflow.training.augment import make_augmentation
from ferflow.training.mixing import make_mixing
from ferflow.training.rectangles import random_rectangles

Array = npt.NDArray[Any]

COUNT, SIZE = 70, 24
# One class, one gray level: what a mixed image is made of can be read from its pixels.
LABELS = (np.arange(COUNT) * 3 % 7).astype("int32")
IMAGES = np.broadcast_to((LABELS * 40).astype(np.uint8)[:, None, None, None], (COUNT, SIZE, SIZE, 1))


def mixed(
    params: AugmentParams, seed: int = 11, step: int = 5, *, targets: Array = LABELS, classes: int = 7
) -> tuple[Array, Array]:
    mix = make_mixing(params, classes, seed)
    assert mix is not None
    images, labels = mix(tf.constant(IMAGES), tf.constant(targets), tf.constant(step, tf.int64))
    return images.numpy(), labels.numpy()


def shares_of_each(params: AugmentParams) -> Array:
    """Return of which images a mixed one is made: shares of shape (COUNT, COUNT)."""
    return mixed(params, targets=np.arange(COUNT, dtype="int32"), classes=COUNT)[1]


def changed(labels: Array) -> Array:
    return np.asarray(labels.max(axis=1) < 0.999)


def test_nothing_asked_for_is_no_function() -> None:
    assert make_mixing(AugmentParams(rotation=10.0), 7, 0) is None


@pytest.mark.parametrize(
    "params",
    [
        AugmentParams(mixup=0.4),
        AugmentParams(cutmix=1.0),
        AugmentParams(mixup=0.4, cutmix=1.0, mix_probability=0.5),
    ],
    ids=["mixup", "cutmix", "both"],
)
def test_labels_are_mixed_as_the_pixels_are(params: AugmentParams) -> None:
    images, labels = mixed(params)
    assert images.dtype == np.uint8 and images.shape == IMAGES.shape
    assert labels.dtype == np.float32 and labels.shape == (COUNT, 7)
    assert changed(labels).any()
    assert (labels >= 0).all()
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-6)
    expected = labels @ (np.arange(7) * 40)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), expected, atol=0.51)
    own = labels[np.arange(COUNT), LABELS]
    assert (own > 0).mean() > 0.8, "images have lost their own class"


def test_mixup_blends_every_pixel_alike() -> None:
    images, _ = mixed(AugmentParams(mixup=1.0))
    assert (np.ptp(images, axis=(1, 2, 3)) == 0).all()


def test_cutmix_pastes_one_rectangle() -> None:
    images, labels = mixed(AugmentParams(cutmix=1.0))
    for image, own, shares in zip(images[..., 0], IMAGES[:, 0, 0, 0], labels, strict=True):
        rows, columns = np.nonzero(image != own)
        if len(rows):
            box = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert (box == box[0, 0]).all()
            assert shares[box[0, 0] // 40] == pytest.approx(box.size / image.size, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_share_of_the_other_image_follows_the_beta_distribution(alpha: float) -> None:
    shares = np.concatenate([1 - own(mixed(AugmentParams(mixup=alpha), step=step)[1]) for step in range(20)])
    pairs = shares[shares > 0.01]
    # Of a pair of one class nothing is seen; the others follow Beta(alpha, alpha), cut below 0.01.
    drawn = np.random.default_rng(0).beta(alpha, alpha, 100_000)
    expected = drawn[drawn > 0.01]
    assert pairs.mean() == pytest.approx(expected.mean(), abs=0.05)
    assert pairs.std() == pytest.approx(expected.std(), abs=0.05)


def own(labels: Array) -> Array:
    shares: Array = labels[np.arange(COUNT), LABELS]
    return shares


def test_a_share_of_the_images_is_mixed() -> None:
    hit = [
        changed(mixed(AugmentParams(mixup=1.0, mix_probability=0.3), step=step)[1]).mean()
        for step in range(8)
    ]
    # One pair in seven is of one class.
    assert np.mean(hit) == pytest.approx(0.3 * 6 / 7, abs=0.06)


def test_both_ways_take_turns() -> None:
    images, labels = mixed(AugmentParams(mixup=1.0, cutmix=1.0))
    blended = (np.ptp(images, axis=(1, 2, 3)) == 0) & changed(labels)
    pasted = np.ptp(images, axis=(1, 2, 3)) > 0
    assert blended.sum() > COUNT / 6 and pasted.sum() > COUNT / 6


def test_partners_come_from_anywhere_in_the_batch() -> None:
    steps = [mixed(AugmentParams(mixup=1.0), step=step)[1] for step in range(12)]
    partners = {int(labels[0].argsort()[-2]) for labels in steps if changed(labels[:1])}
    assert len(partners) >= 4


def test_the_same_seed_and_step_give_the_same_batch_and_others_others() -> None:
    params = AugmentParams(mixup=0.4, cutmix=1.0)
    first, again = mixed(params), mixed(params)
    for ours, theirs in zip(first, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for seed, step in ((11, 6), (12, 5)):
        assert not np.array_equal(mixed(params, seed, step)[1], first[1])


def test_a_very_small_alpha_gives_numbers() -> None:
    images, labels = mixed(AugmentParams(mixup=0.001))
    assert np.isfinite(labels).all()
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-6)
    assert (images <= 240).all()


def test_distributions_are_mixed_as_they_are() -> None:
    params = AugmentParams(mixup=0.4, cutmix=1.0)
    targets = np.random.default_rng(0).dirichlet(np.ones(7), COUNT).astype("float32")
    _, labels = mixed(params, targets=targets)
    assert labels.dtype == np.float32
    np.testing.assert_allclose(labels, shares_of_each(params) @ targets, atol=1e-6)


def test_how_an_image_is_turned_does_not_decide_with_which_it_is_mixed() -> None:
    params = AugmentParams(rotation=30.0, mixup=1.0)
    augment = make_augmentation(params, 11)
    assert augment is not None
    ramp = np.broadcast_to((np.arange(SIZE) * 10).astype(np.uint8)[:, None], (COUNT, SIZE, SIZE, 1))
    turned = augment(tf.constant(ramp), tf.constant(5, tf.int64)).numpy()[..., 0].astype(int)
    # A ramp from left to right, turned, rises from top to bottom too.
    middle = SIZE // 2
    angles = turned[:, middle + 5, middle] - turned[:, middle - 5, middle]
    assert len(np.unique(angles)) > COUNT / 4, "images were not turned"
    others = shares_of_each(params) * (1 - np.eye(COUNT))
    for ours, theirs in ((angles[others.argmax(axis=1)], np.arange(COUNT)), (angles, others.sum(axis=1))):
        assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.4


@pytest.mark.parametrize("max_aspect", [1.0, 3.0])
@pytest.mark.parametrize("area", [0.0, 0.05, 0.4, 1.0])
def test_rectangles_have_their_area_and_stay_inside(area: float, max_aspect: float) -> None:
    areas = tf.fill([200], area)
    masks = random_rectangles(areas, 30, 60, tf.constant([1, 2]), max_aspect=max_aspect).numpy()
    assert masks.shape == (200, 30, 60, 1)
    assert masks.mean() == pytest.approx(area, abs=0.01)
    assert np.abs(masks.mean(axis=(1, 2, 3)) - area).max() < 0.07  # pixels that an edge cuts
