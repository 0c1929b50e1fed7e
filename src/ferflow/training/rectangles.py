"""Random rectangles in a batch of images: what occlusion hides and cutmix pastes."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf


def random_rectangles(areas: Any, height: Any, width: Any, seed: Any, *, max_aspect: float = 1.0) -> Any:
    """Return a mask with one rectangle in each image, wholly inside of it, anywhere with equal chance.

    Args:
        areas: float32 of shape (N,), shares of the image between 0 and 1. The mask covers them up to
            the pixels that an edge cuts.
        height: Of the images, in pixels, a scalar.
        width: Of the images, in pixels, a scalar.
        seed: Of shape (2,), for the stateless operations of TensorFlow.
        max_aspect: Height to width, both as shares of the image's, are drawn between this and its
            inverse, evenly in their logarithm; 1 gives the image's own proportions.

    Returns:
        bool of shape (N, height, width, 1), True inside the rectangle.
    """
    count = tf.shape(areas)[0]
    aspect, top, left = tf.unstack(tf.random.stateless_uniform([3, count], seed, -1.0, 1.0))
    areas = tf.clip_by_value(areas, 1e-12, 1.0)
    # A rectangle of this area is no longer than the image only up to an aspect of 1 / area.
    log_aspect = aspect * tf.minimum(math.log(max_aspect), -tf.math.log(areas))
    rows = _inside(top, tf.sqrt(areas * tf.exp(log_aspect)), height)
    columns = _inside(left, tf.sqrt(areas * tf.exp(-log_aspect)), width)
    return (rows[:, :, None] & columns[:, None, :])[..., None]


def _inside(position: Any, share: Any, size: Any) -> Any:
    """Return which of `size` pixels have their middle in an interval, as bool of shape (N, size).

    Args:
        position: float32 of shape (N,), from -1 (begins with the image) to 1 (ends with it).
        share: float32 of shape (N,), the interval's length as a share of `size`.
        size: Pixels, a scalar.
    """
    length = tf.cast(size, tf.float32) * share
    start = (position + 1.0) / 2.0 * (tf.cast(size, tf.float32) - length)
    middles = tf.cast(tf.range(size), tf.float32) + 0.5
    return (middles >= start[:, None]) & (middles < (start + length)[:, None])
