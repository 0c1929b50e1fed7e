"""The first and the last layers that all architectures share.

Preprocessing lives in the model, so that what was trained is what is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import keras

from ferflow.errors import FerflowError
from ferflow.params.options import Pooling

#: The layer that holds a pretrained network: phases find "the base" of a model by this name.
BASE: Final = "base"

_POOLINGS: Final[dict[Pooling, Any]] = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "flatten": keras.layers.Flatten,
}


def image_input(
    image_shape: tuple[int, int, int],
    *,
    input_size: int,
    channels: int = 1,
    field: float = 1.0,
    scale: float | Sequence[float] = 1 / 255,
    offset: float | Sequence[float] = 0.0,
) -> tuple[Any, Any]:
    """Return the input tensor for raw images and the preprocessed tensor made of it.

    Args:
        image_shape: (H, W, 1) of the raw uint8 images.
        input_size: Height and width of the result in pixels; other images are resized (bilinear).
        channels: 1, or 3 to repeat the gray channel as networks for colour images expect.
        field: Side of the central square that is seen, as a share of the image's side. What lies outside
            comes into sight where an augmentation shifts or turns the image.
        scale: Factor of the gray levels 0 to 255, one for all channels or one for each.
        offset: What is added after scaling, one for all channels or one for each.

    Raises:
        FerflowError: Nothing of the image is in the field.
    """
    inputs = keras.Input(image_shape, dtype="uint8", name="image")
    margins = [round(side * (1 - field) / 2) for side in image_shape[:2]]
    if any(2 * margin >= side for margin, side in zip(margins, image_shape[:2], strict=True)):
        raise FerflowError(f"options.field: {field} leaves no pixel of {image_shape[0]}.")
    x = keras.layers.Cropping2D(margins, name="field")(inputs) if any(margins) else inputs
    x = keras.layers.Concatenate(name="gray_to_rgb")([x] * 3) if channels == 3 else x
    x = keras.layers.Rescaling(scale, offset, dtype="float32", name="rescale")(x)
    if x.shape[1:3] != (input_size, input_size):
        # Not the Resizing layer: it defaults to training=True and hands that on to the layers after it.
        x = keras.ops.image.resize(x, (input_size, input_size), interpolation="bilinear")
    return inputs, x


def pool(x: Any, pooling: Pooling) -> Any:
    """Return a vector for each feature map.

    Args:
        x: Feature map (N, H, W, C).
        pooling: `"avg"` or `"max"` of each channel over all places, or `"flatten"`, which keeps them all.
    """
    return _POOLINGS[pooling](name="pool")(x)


def classifier(x: Any, num_classes: int) -> Any:
    """Return class probabilities from features: logits, then a softmax that is float32 in any precision."""
    logits = keras.layers.Dense(num_classes, name="logits")(x)
    return keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
