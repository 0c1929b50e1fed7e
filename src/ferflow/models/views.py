"""Test-time augmentation: a model that sees several views of each image and gives its mean answer.

Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks" (NeurIPS 2012), average
over five crops of an image and their mirror images. Here an image is moved instead of cropped, so that the
model sees faces of the size that it was trained on.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def averaged_over_views(model: keras.Model, *, horizontal_flip: bool, shift: int) -> keras.Model:
    """Return a model that gives the mean of `model`'s probabilities over one or more views of each image.

    It takes the same images and is made of stock Keras operations: it is saved, opened and served like any
    other model. All views of a batch go through `model` at once, so its memory is that of a batch as many
    times as large; calling it view by view would not be faster on a CPU, and takes as many times as long to
    trace and to compile.

    Args:
        model: A model that takes images (N, H, W, C) and gives float32 probabilities (N, classes). It is
            shared, not copied: what changes its weights changes both.
        horizontal_flip: See the mirror image of each view too.
        shift: If above 0, see the image in its place and moved this many pixels up, down, left and right;
            at most H and W.

    Returns:
        `model` itself if there is but one view.
    """
    if not horizontal_flip and not shift:
        return model
    inputs = keras.Input(model.input.shape[1:], dtype=model.input.dtype, name="image")
    views = [inputs, *_moved(inputs, shift)] if shift else [inputs]
    if horizontal_flip:
        views += [ops.flip(view, axis=2) for view in views]
    # Not the Concatenate layer: its result would be float32 by name.
    probabilities = model(ops.concatenate(views, axis=0))
    by_view = ops.reshape(probabilities, (len(views), -1, model.output.shape[-1]))
    return keras.Model(inputs, ops.mean(by_view, axis=0), name=f"{model.name}_over_views")


def _moved(images: Any, shift: int) -> list[Any]:
    """Return the images moved up, down, left and right.

    What comes into sight is the image mirrored at its edge: TensorFlow has no padding that repeats the edge.
    """
    height, width = images.shape[1:3]
    padded = ops.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="symmetric")
    corners = ((2 * shift, shift), (0, shift), (shift, 2 * shift), (shift, 0))
    return [padded[:, top : top + height, left : left + width] for top, left in corners]
