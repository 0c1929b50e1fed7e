"""The six-convolution CNN of the project "Facial Emotion Recognition (CNN)".

Three blocks of two 3×3 convolutions (32, 64 · 128, 256 · 512, 512; the second block under an L2 penalty),
each block with batch normalisation, max-pooling and dropout; dense 1024 with dropout. 22,813,703 parameters
at 48×48×1, of which 22,812,039 train. Its source reports 52.54 % at first and 62.5 % in the end on
FER-2013's test folder, 57.93 % with augmentation. It names neither the strength of the penalty nor the
dropout: the defaults here are those that such networks usually have.
"""

from __future__ import annotations

import keras
from keras import layers

from ferflow.models.layers import classifier, image_input
from ferflow.params.options import Fraction, NonNegativeFloat


def build(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    input_size: int,
    dropout: Fraction = 0.25,
    head_dropout: Fraction = 0.5,
    l2: NonNegativeFloat = 0.01,
) -> keras.Model:
    """Build the six-convolution CNN on gray images.

    Args:
        image_shape: (H, W, 1) of the raw uint8 images.
        num_classes: Number of classes.
        input_size: Pixels to which images are resized; the source uses 48.
        dropout: Share of activations dropped after each block, in [0, 1).
        head_dropout: Share of the dense layer's activations that is dropped, in [0, 1).
        l2: Weight of the second block's squared kernels in the loss, at least 0.
    """
    inputs, x = image_input(image_shape, input_size=input_size)
    for filters, penalty in (((32, 64), 0.0), ((128, 256), l2), ((512, 512), 0.0)):
        for count in filters:
            regularizer = keras.regularizers.L2(penalty) if penalty else None
            x = layers.Conv2D(count, 3, padding="same", activation="relu", kernel_regularizer=regularizer)(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(1024, activation="relu")(x)
    x = layers.Dropout(head_dropout)(x)
    return keras.Model(inputs, classifier(x, num_classes), name="cnn6_l2")
