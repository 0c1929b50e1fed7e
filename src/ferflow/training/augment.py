"""Random changes of a batch of images: geometry, appearance, occlusion.

Rotation, shift, shear, zoom and flip are one projective transform per image, so that each image is
resampled once, whatever is asked for; their names and ranges are those of Keras's ImageDataGenerator,
which the source projects use. Occlusion is random erasing (Zhong et al., "Random Erasing Data
Augmentation", AAAI 2020). What needs the labels as well is in `mixing`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import tensorflow as tf

from ferflow.params import AugmentParams
from ferflow.params.training import OcclusionParams
from ferflow.training.rectangles import random_rectangles

#: The gray level of white.
_WHITE: Final = 255.0
#: Erased rectangles are between this and its inverse as high as wide, as in the paper.
_MAX_ASPECT: Final = 1 / 0.3

#: Seeds that are split from that of a step, one for each kind of change.
_KINDS: Final = 4

Batch = Any  # float32 of shape (N, H, W, C), gray levels 0 to 255
Seed = Any  # int of shape (2,), for the stateless operations of TensorFlow
Change = Callable[[Batch, Seed], Batch]


def make_augmentation(params: AugmentParams, seed: int) -> Callable[[Any, Any], Any] | None:
    """Return a function of (images, step) that changes a batch at random, or None if nothing is asked for.

    The change is a function of the seed, the step and the position in the batch alone, so a
    training that is resumed at a step sees the images that it would have seen.

    Args:
        params: All but mixup and cutmix; what lies outside of an image is filled with its nearest pixel.
        seed: Any integer.

    Returns:
        A function that maps uint8 images (N, H, W, C) and a scalar int64 step to uint8 images.
    """
    changes = _changes(params)
    if not changes:
        return None

    def augment(images: Any, step: Any) -> Any:
        seeds = tf.random.split(tf.stack([tf.constant(seed, tf.int64), step]), _KINDS)
        batch = tf.cast(images, tf.float32)
        for number, change in changes:
            batch = change(batch, seeds[number])
        return tf.ensure_shape(tf.saturate_cast(tf.round(batch), images.dtype), images.shape)

    return augment


def _changes(params: AugmentParams) -> list[tuple[int, Change]]:
    """Return what is asked for, each with a number of its own: its seed is the same whatever else is.

    In the order of a camera: the face turns and is lit, something is before it, the sensor adds noise.
    """
    changes: list[tuple[int, Change]] = []
    if params.rotation or params.shift or params.shear or params.zoom or params.horizontal_flip:
        changes.append((0, partial(_transform, params)))
    if params.brightness or params.contrast:
        changes.append((1, partial(_relight, params.brightness, params.contrast)))
    if params.occlusion:
        changes.append((2, partial(_occlude, params.occlusion)))
    if params.noise:
        changes.append((3, partial(_add_noise, params.noise)))
    return changes


def _transform(params: AugmentParams, batch: Batch, seed: Seed) -> Batch:
    """Move the pixels, in one resampling."""
    shape = tf.shape(batch)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=batch,
        transforms=_matrices(params, shape[0], tf.cast(shape[1:3], tf.float32), seed),
        output_shape=shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _matrices(params: AugmentParams, count: Any, size: Any, seed: Seed) -> Any:
    """Return `count` random transforms, output to input pixels, as float32 of shape (count, 8)."""
    uniform = tf.random.stateless_uniform([7, count], seed=seed, minval=-1.0, maxval=1.0)
    angle = uniform[0] * math.radians(params.rotation)
    shear = uniform[1] * math.radians(params.shear)
    zoom_x, zoom_y = 1.0 + uniform[2] * params.zoom, 1.0 + uniform[3] * params.zoom
    shift_x, shift_y = uniform[4] * params.shift * size[1], uniform[5] * params.shift * size[0]
    mirror = tf.where(uniform[6] < 0.0, -1.0, 1.0) if params.horizontal_flip else tf.ones([count])

    # Rotation · shear · zoom, then the mirror, about the middle of the image.
    cosine, sine = tf.cos(angle), tf.sin(angle)
    a0 = cosine * zoom_x * mirror
    a1 = -tf.sin(angle + shear) * zoom_y
    b0 = sine * zoom_x * mirror
    b1 = tf.cos(angle + shear) * zoom_y
    middle_x, middle_y = (size[1] - 1.0) / 2.0, (size[0] - 1.0) / 2.0
    a2 = middle_x + shift_x - a0 * middle_x - a1 * middle_y
    b2 = middle_y + shift_y - b0 * middle_x - b1 * middle_y
    zeros = tf.zeros([count])
    return tf.stack([a0, a1, a2, b0, b1, b2, zeros, zeros], axis=1)


def _relight(brightness: float, contrast: float, batch: Batch, seed: Seed) -> Batch:
    """Scale the gray levels about the mean of their image, then add to them."""
    uniform = tf.random.stateless_uniform([2, tf.shape(batch)[0], 1, 1, 1], seed, -1.0, 1.0)
    mean = tf.reduce_mean(batch, axis=[1, 2, 3], keepdims=True)
    scale = 1.0 + contrast * uniform[0]
    return batch * scale + (mean * (1.0 - scale) + brightness * _WHITE * uniform[1])


def _occlude(params: OcclusionParams, batch: Batch, seed: Seed) -> Batch:
    """Hide a rectangle of some images behind one random gray level."""
    shape = tf.shape(batch)
    place, look = tf.unstack(tf.random.split(seed, 2))
    hit, area, level = tf.unstack(tf.random.stateless_uniform([3, shape[0]], look))
    areas = params.min_area + area * (params.max_area - params.min_area)
    hidden = random_rectangles(areas, shape[1], shape[2], place, max_aspect=_MAX_ASPECT)
    hidden &= (hit < params.probability)[:, None, None, None]
    return tf.where(hidden, tf.floor(level * (_WHITE + 1.0))[:, None, None, None], batch)


def _add_noise(noise: float, batch: Batch, seed: Seed) -> Batch:
    """Add Gaussian noise to every pixel."""
    return batch + tf.random.stateless_normal(tf.shape(batch), seed, stddev=noise * _WHITE)
