"""Mixing of images with others of their batch, and of labels alike: mixup and cutmix.

Mixup blends two images (Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018); cutmix
pastes a rectangle of one into the other (Yun et al., "CutMix", ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

from ferflow.params import AugmentParams
from ferflow.training.rectangles import random_rectangles

#: Folded into the seed, so that mixing is independent of the augmentation of the same step.
_STREAM: Final = 1
#: Both Gamma variates of a Beta variate can be too small for a float.
_TINY: Final = 1e-30


def make_mixing(
    params: AugmentParams, classes: int, seed: int
) -> Callable[[Any, Any, Any], tuple[Any, Any]] | None:
    """Return a function of (images, labels, step) that mixes a batch, or None if nothing is asked for.

    Like the augmentation, it is a function of the seed, the step and the position in the batch alone.

    Args:
        params: `mixup`, `cutmix` and `mix_probability`.
        classes: How many there are.
        seed: Any integer.

    Returns:
        A function that maps uint8 images (N, H, W, C), labels (int of shape (N,), or float32 distributions
        of shape (N, classes)) and a scalar int64 step to uint8 images and float32 labels (N, classes),
        whose rows sum to one: the share of a label is the share of its image in the pixels.
    """
    if not (params.mixup or params.cutmix):
        return None

    def mix(images: Any, labels: Any, step: Any) -> tuple[Any, Any]:
        base = tf.random.fold_in(tf.stack([tf.constant(seed, tf.int64), step]), _STREAM)
        order, place = tf.unstack(tf.random.split(base, 2))
        # Not the neighbour: rows of a batch are sorted, and data sets often are sorted by class.
        partner = tf.argsort(tf.random.stateless_uniform(tf.shape(labels)[:1], order))
        batch = tf.cast(images, tf.float32)
        targets = labels if labels.dtype.is_floating else tf.one_hot(labels, classes)
        weight = _weights(params, tf.shape(images), place)
        mixed = batch + weight * (tf.gather(batch, partner) - batch)
        share = tf.reduce_mean(weight, axis=[1, 2])
        targets += share * (tf.gather(targets, partner) - targets)
        return tf.ensure_shape(tf.saturate_cast(tf.round(mixed), images.dtype), images.shape), targets

    return mix


def _weights(params: AugmentParams, shape: Any, seed: Any) -> Any:
    """Return the share of the other image in each pixel, as float32 of shape (N, H or 1, W or 1, 1)."""
    seeds = tf.unstack(tf.random.split(seed, 4))
    count = shape[0]
    choice, way = tf.unstack(tf.random.stateless_uniform([2, count, 1, 1, 1], seeds[0]))
    weight = tf.zeros([count, 1, 1, 1])
    if params.mixup:
        weight = _beta(params.mixup, count, seeds[1])[:, None, None, None]
    if params.cutmix:
        areas = _beta(params.cutmix, count, seeds[2])
        pasted = tf.cast(random_rectangles(areas, shape[1], shape[2], seeds[3]), tf.float32)
        weight = tf.where(way < 0.5, weight, pasted) if params.mixup else pasted
    return tf.where(choice < params.mix_probability, weight, 0.0)


def _beta(alpha: float, count: Any, seed: Any) -> Any:
    """Return variates of Beta(alpha, alpha), as float32 of shape (count,)."""
    gamma = tf.random.stateless_gamma([2, count], seed, alpha=alpha) + _TINY
    return gamma[0] / (gamma[0] + gamma[1])
