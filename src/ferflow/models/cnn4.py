"""The four-block CNN of the project "face-emotion-recognition" (and of many notebooks since).

Conv 64 3×3, 128 5×5, 512 3×3, 512 3×3, dense 256 and 512; each with batch normalisation, ReLU and
dropout, each convolution with max-pooling. 4,478,727 parameters at 48×48×1, of which 4,474,759 train.
Its source reports 65.1 % accuracy on FER-2013's validation folder (best epoch 65.75 %).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from ferflow.models.layers import classifier, image_input
from ferflow.params.options import Fraction


def build(
    image_shape: tuple[int, int, int], num_classes: int, *, input_size: int, dropout: Fraction = 0.25
) -> keras.Model:
    """Build the four-block CNN on gray images.

    Args:
        image_shape: (H, W, 1) of the raw uint8 images.
        num_classes: Number of classes.
        input_size: Pixels to which images are resized; the source uses 48.
        dropout: Share of activations dropped after each block, in [0, 1).
    """
    inputs, x = image_input(image_shape, input_size=input_size)
    for filters, kernel in ((64, 3), (128, 5), (512, 3), (512, 3)):
        x = layers.Conv2D(filters, kernel, padding="same")(x)
        x = _normalised(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    for units in (256, 512):
        x = layers.Dense(units)(x)
        x = _normalised(x)
        x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, classifier(x, num_classes), name="cnn4")


def _normalised(x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization()(x))
