"""Random geometric changes of a batch, composed into one transform.

Rotation, shift, shear, zoom and flip are one projective transform per image, so that each image is
resampled once, whatever is asked for; the names and ranges are those of Keras's ImageDataGenerator,
which the source projects use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ferflow.params import AugmentParams


def make_augmentation(params: AugmentParams, seed: int) -> Callable[[Any, Any], Any] | None:
    """Return a function of (images, step) that changes a batch at random, or None if nothing is asked for.

    The change is a function of the seed, the step and the position in the batch alone, so a
    training that is resumed at a step sees the images that it would have seen.

    Args:
        params: `rotation` and `shear` up to so many degrees either way, `shift` up to that share of
            the size, `zoom` between 1 - zoom and 1 + zoom, `horizontal_flip` of every second image.
            What lies outside of the image is filled with its nearest pixel.
        seed: Any integer.

    Returns:
        A function that maps uint8 images (N, H, W, C) and a scalar int64 step to uint8 images.
    """
    if params == AugmentParams():
        return None

    def augment(images: Any, step: Any) -> Any:
        shape = tf.shape(images)
        matrices = _matrices(params, shape[0], tf.cast(shape[1:3], tf.float32), tf.stack([seed, step]))
        transformed = tf.raw_ops.ImageProjectiveTransformV3(
            # On integers the kernel rounds down, which darkens every image.
            images=tf.cast(images, tf.float32),
            transforms=matrices,
            output_shape=shape[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )
        return tf.ensure_shape(tf.cast(tf.round(transformed), images.dtype), images.shape)

    return augment


def _matrices(params: AugmentParams, count: Any, size: Any, seed: Any) -> Any:
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
