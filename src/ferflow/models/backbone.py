"""Any network of `keras.applications` with a pooled head: transfer learning by name.

With ResNet50, average pooling and a dense layer of 1024 it is the model of "Facial Expression Recognition
using ResNet50" (25,693,063 parameters; its source reports 61.58 % on its validation folder).
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import keras
import numpy as np
from keras import layers

from ferflow.errors import FerflowError
from ferflow.models.layers import BASE, classifier, image_input

_POOLINGS: Final = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


def build(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    input_size: int,
    network: str = "ResNet50",
    weights: str | None = None,
    pooling: str = "avg",
    head: list[int] | None = None,
    dropout: float = 0.0,
) -> keras.Model:
    """Build a pooled network with a head of dense layers.

    Args:
        image_shape: (H, W, 1) of the raw uint8 images; gray is repeated to three channels.
        num_classes: Number of classes.
        input_size: Pixels to which images are resized.
        network: A model of `keras.applications`, e.g. `"ResNet50"` or `"EfficientNetV2B0"`.
        weights: `"imagenet"`, the path of a weights file, or None for random weights.
        pooling: How the last feature map becomes a vector: `"avg"` or `"max"`.
        head: Units of the dense ReLU layers before the classifier; none by default.
        dropout: Share of activations dropped after the pooling and each dense layer, in [0, 1).

    Raises:
        FerflowError: There is no such network, the input is too small for it, or its weights cannot
            be had.
    """
    if pooling not in _POOLINGS:
        raise FerflowError(f"params.yaml: pooling '{pooling}' is not one of {', '.join(_POOLINGS)}.")
    constructor, module = _find(network)
    base = _construct(constructor, network, input_size, weights)
    scale, offset = _gray_preprocessing(module)
    inputs, x = image_input(image_shape, input_size=input_size, channels=3, scale=scale, offset=offset)
    x = base(x)
    x = _POOLINGS[pooling](name="pool")(x)
    x = _dropped(x, dropout)
    for units in head or []:
        x = _dropped(layers.Dense(units, activation="relu")(x), dropout)
    return keras.Model(inputs, classifier(x, num_classes), name=network.lower())


def _dropped(x: Any, dropout: float) -> Any:
    return layers.Dropout(dropout)(x) if dropout else x


def _find(network: str) -> tuple[Any, ModuleType]:
    """Return a network's constructor and the public module that holds its `preprocess_input`."""
    constructor = getattr(keras.applications, network, None)
    if isinstance(constructor, type) or not callable(constructor):
        raise FerflowError(f"params.yaml: keras.applications has no network '{network}'.")
    return constructor, importlib.import_module(constructor.__module__)


def _construct(constructor: Any, network: str, input_size: int, weights: str | None) -> Any:
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise FerflowError(
            f"params.yaml: weights '{weights}' is neither a file, nor imagenet, nor null (random weights)."
        )
    try:
        return constructor(
            include_top=False, weights=weights, input_shape=(input_size, input_size, 3), name=BASE
        )
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise FerflowError(f"{network} at {input_size} pixels, weights {weights}: {reason}") from None
    except Exception as error:
        # Keras raises a bare Exception when its download fails.
        if "URL fetch failure" not in str(error):
            raise
        raise FerflowError(
            f"{network}'s ImageNet weights are not in {_weights_cache()} and cannot be fetched: connect "
            "once, put the file there by hand, give a path as `weights`, or use null. "
            f"({str(error).splitlines()[0]})"
        ) from None


def _weights_cache() -> Path:
    """Return the folder in which Keras keeps the weights that it has fetched."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


def _gray_preprocessing(module: ModuleType) -> tuple[list[float], list[float]]:
    """Return scale and offset per channel that do what the network's own preprocessing does to gray.

    Every preprocessing of `keras.applications` is, on a gray image, affine in each channel (scaling,
    mean subtraction, and a channel order that does not matter there), so two gray levels give it away.
    """
    black, white = (
        np.asarray(module.preprocess_input(np.full((1, 1, 1, 3), level, "float32"))) for level in (0.0, 255.0)
    )
    offset = black.reshape(3)
    scale = (white.reshape(3) - offset) / 255.0
    return scale.tolist(), offset.tolist()
