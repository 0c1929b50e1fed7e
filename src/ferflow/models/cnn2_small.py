"""The small CNN of the project "Expression Classification from Facial Images".

Conv 32 and 64 (3×3, unpadded), each with ReLU and max-pooling, then dense 128: 1,626,055 parameters at
64×64×3. Its source reports 51.0 % validation accuracy on ExpW, and a classification report of 18 % on
the same images, because its generator was shuffled.
"""

from __future__ import annotations

import keras
from keras import layers

from ferflow.models.layers import classifier, image_input
from ferflow.params.options import Fraction


def build(
    image_shape: tuple[int, int, int], num_classes: int, *, input_size: int, dropout: Fraction = 0.5
) -> keras.Model:
    """Build the small CNN on gray images, repeated to three channels as in its source.

    Args:
        image_shape: (H, W, 1) of the raw uint8 images.
        num_classes: Number of classes.
        input_size: Pixels to which images are resized; the source uses 64.
        dropout: Share of the dense layer's activations that is dropped, in [0, 1).
    """
    inputs, x = image_input(image_shape, input_size=input_size, channels=3)
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, classifier(x, num_classes), name="cnn2_small")
