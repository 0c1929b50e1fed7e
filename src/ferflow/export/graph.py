"""A Keras model as a TensorFlow function with the names of exported files: `image`, `probabilities`."""

from __future__ import annotations

from typing import Any, Final

import keras
import tensorflow as tf

INPUT: Final = "image"
OUTPUT: Final = "probabilities"


def function_of(model: keras.Model) -> tuple[Any, list[Any]]:
    """Return a function of raw images for converters, and its input signature: a batch of any size.

    Args:
        model: Takes raw uint8 images (N, H, W, C), gives float32 probabilities (N, classes).
    """
    # Without AutoGraph: what a model does is graph operations already, and rewriting its code takes seconds.
    function = tf.function(lambda image: {OUTPUT: model(image, training=False)}, autograph=False)
    return function, [tf.TensorSpec((None, *model.input.shape[1:]), tf.uint8, name=INPUT)]
