"""Attention blocks of stock Keras layers: they weigh the channels and the places of a feature map.

Squeeze-and-excitation is Hu et al., "Squeeze-and-Excitation Networks" (CVPR 2018); spatial attention is
the second half of Woo et al., "CBAM: Convolutional Block Attention Module" (ECCV 2018).
"""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import layers

from ferflow.params.options import Attention

# A narrower layer saves no time and tells little apart.
_MINIMUM_UNITS: Final = 8


def attention(x: Any, kind: Attention, *, ratio: int = 8) -> Any:
    """Return a feature map after the attention of one kind.

    Args:
        x: Feature map (N, H, W, C).
        kind: `"se"` weighs channels, `"spatial"` places, `"both"` channels and then places, which is the
            order that CBAM found best; None leaves `x` as it is.
        ratio: See `squeeze_and_excitation`.
    """
    if kind in ("se", "both"):
        x = squeeze_and_excitation(x, ratio=ratio)
    if kind in ("spatial", "both"):
        x = spatial_attention(x)
    return x


def squeeze_and_excitation(x: Any, *, ratio: int = 8) -> Any:
    """Return `x` with every channel multiplied by a weight in (0, 1) made of all channels' means.

    Args:
        x: Feature map (N, H, W, C).
        ratio: Channels for each unit of the narrow layer in between, of which there are 8 at least; the
            paper has 16 in networks of up to 2,048 channels.
    """
    channels = x.shape[-1]
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    # 1×1 convolutions are dense layers that keep the shape which broadcasts over height and width.
    weights = layers.Conv2D(max(_MINIMUM_UNITS, channels // ratio), 1, activation="relu")(weights)
    weights = layers.Conv2D(channels, 1, activation="sigmoid")(weights)
    return layers.Multiply()([x, weights])


def spatial_attention(x: Any, *, kernel_size: int = 7) -> Any:
    """Return `x` with every place multiplied by a weight in (0, 1) made of its surroundings.

    Args:
        x: Feature map (N, H, W, C).
        kernel_size: Side of the surroundings in places of the map; the paper's 7 by default.
    """
    description = [keras.ops.mean(x, axis=-1, keepdims=True), keras.ops.max(x, axis=-1, keepdims=True)]
    weights = layers.Concatenate()(description)
    weights = layers.Conv2D(1, kernel_size, padding="same", activation="sigmoid", use_bias=False)(weights)
    return layers.Multiply()([x, weights])
