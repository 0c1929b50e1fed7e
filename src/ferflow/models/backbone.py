"""Any network of `keras.applications` with a pooled head: transfer learning by name.

The models of four source projects, by network and options; all have seven classes:

| entry | network | options | parameters |
|---|---|---|---|
| resnet50_two_phase | ResNet50 | head [1024] | 25,693,063 |
| resnet50v2_mlp | ResNet50V2 | base_batch_norm, head [512, 256, 128], head_dropout 0.1 | 24,787,207 |
| vgg16_last3 | VGG16 | pooling flatten | 14,890,311 at 224 pixels, 14,714,688 of them the base |
| inceptionv3_dropout | InceptionV3 | feature_dropout 0.5, head [1024] | 23,908,135 |
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import keras
import numpy as np
from keras import layers

from ferflow.models.layers import classifier, image_input, pool
from ferflow.models.pretrained import load_base
from ferflow.params.options import Fraction, Network, Pooling, Sizes


def build(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    input_size: int,
    network: Network = "ResNet50",
    weights: str | None = None,
    weights_sha256: str | None = None,
    base_batch_norm: bool = False,
    pooling: Pooling = "avg",
    feature_dropout: Fraction = 0.0,
    head: Sizes = (),
    head_dropout: Fraction = 0.0,
) -> keras.Model:
    """Build a network with a head: batch normalisation, pooling, dropout, dense layers, softmax.

    Args:
        image_shape: (H, W, 1) of the raw uint8 images; gray is repeated to three channels.
        num_classes: Number of classes.
        input_size: Pixels to which images are resized.
        network: A model of `keras.applications`, e.g. `"ResNet50"` or `"EfficientNetV2B0"`.
        weights: `"imagenet"` (fetched once into Keras's cache), the path of a weights file from the root of
            the project, or None for random weights.
        weights_sha256: Checksum of that file.
        base_batch_norm: Whether the base's last feature map is normalised before it is pooled.
        pooling: How the last feature map becomes a vector: `"avg"`, `"max"` or `"flatten"`.
        feature_dropout: Share of the pooled vector that is dropped, in [0, 1).
        head: Units of the dense ReLU layers before the classifier; none by default.
        head_dropout: Share of activations dropped after each dense layer, in [0, 1).

    Raises:
        FerflowError: The input is too small for the network, or its weights cannot be had.
    """
    constructor = getattr(keras.applications, network)
    base = load_base(
        constructor, network, input_size=input_size, weights=weights, weights_sha256=weights_sha256
    )
    scale, offset = _gray_preprocessing(importlib.import_module(constructor.__module__))
    inputs, x = image_input(image_shape, input_size=input_size, channels=3, scale=scale, offset=offset)
    x = base(x)
    if base_batch_norm:
        x = layers.BatchNormalization()(x)
    x = _dropped(pool(x, pooling), feature_dropout)
    for units in head:
        x = _dropped(layers.Dense(units, activation="relu")(x), head_dropout)
    return keras.Model(inputs, classifier(x, num_classes), name=network.lower())


def _dropped(x: Any, dropout: float) -> Any:
    return layers.Dropout(dropout)(x) if dropout else x


def _gray_preprocessing(module: ModuleType) -> tuple[list[float], list[float]]:
    """Return scale and offset per channel that do what the network's own preprocessing does to gray.

    Every preprocessing of `keras.applications` is, on a gray image, affine in each channel (scaling,
    mean subtraction, and a channel order that does not matter there), so two gray levels give it away.
    Networks that preprocess in layers of their own (EfficientNet, ConvNeXt, MobileNetV3) have none here.
    """
    black, white = (
        np.asarray(module.preprocess_input(np.full((1, 1, 1, 3), level, "float32"))) for level in (0.0, 255.0)
    )
    offset = black.reshape(3)
    scale = (white.reshape(3) - offset) / 255.0
    return scale.tolist(), offset.tolist()
