"""A compact residual network for small gray faces, with optional attention.

A strided 5×5 stem, then stages of residual blocks (He et al., "Deep Residual Learning", CVPR 2016: two 3×3
convolutions, activation after the addition), average pooling, dropout, softmax. From the papers that
improved on it: shortcuts that shrink by average pooling before their 1×1 convolution, and last
normalisations that start at zero, so that every block starts as its shortcut (He et al., "Bag of Tricks",
CVPR 2019).

| widths, blocks | attention | parameters | trainable |
|---|---|---|---|
| 64, 128, 256 · 1, 2, 2 (default) | se (default) | 2,732,879 | 2,728,591 |
| the same | both | 2,733,369 | 2,729,081 |
| the same | null | 2,689,959 | 2,685,671 |
| 64, 128, 256 · 1, 1, 2 | null | 2,394,023 | 2,390,247 |

The stem halves the resolution at once: on a CPU, the first stage at full resolution would take most of the
time. Dense convolutions, since depthwise ones are slower there, though they have a sixth of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ferflow.models.attention import attention as attend
from ferflow.models.layers import classifier, image_input, pool
from ferflow.params.options import (
    Attention,
    Blocks,
    Fraction,
    Momentum,
    Pooling,
    PositiveInt,
    Share,
    Widths,
)


def build(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    input_size: int,
    field: Share = 0.92,
    stem: PositiveInt = 32,
    stem_kernel: PositiveInt = 5,
    stem_stride: PositiveInt = 2,
    widths: Widths = (64, 128, 256),
    blocks: Blocks = (1, 2, 2),
    attention: Attention = "se",
    attention_ratio: PositiveInt = 8,
    pooling: Pooling = "avg",
    dropout: Fraction = 0.2,
    batch_norm_momentum: Momentum = 0.9,
    zero_gamma: bool = True,
) -> keras.Model:
    """Build the residual network on gray images.

    Args:
        image_shape: (H, W, 1) of the raw uint8 images.
        num_classes: Number of classes.
        input_size: Pixels to which images are resized; 40 takes 0.7 of the time of 48.
        field: Side of the central square that is seen, as a share of the image's: 44 of 48 pixels by
            default, so that shifting an image by two pixels brings no edge into sight.
        stem: Channels of the first convolution.
        stem_kernel: Its side in pixels.
        stem_stride: Its stride: 1 keeps the resolution, for four times the work in what follows.
        widths: Channels of each stage. Every stage but the first halves the resolution.
        blocks: Residual blocks of each stage, as many numbers as `widths`.
        attention: At the end of every block's branch: `"se"` (channels), `"spatial"`, `"both"` or None.
        attention_ratio: Channels for each unit of the narrow layer of `"se"`.
        pooling: How the last feature map becomes a vector: `"avg"`, `"max"` or `"flatten"`.
        dropout: Share of the pooled vector that is dropped, in [0, 1).
        batch_norm_momentum: Of the moving statistics, in (0, 1). Keras's 0.99 lags behind the one-cycle
            schedule.
        zero_gamma: Whether every block's last normalisation starts at zero.

    Raises:
        FerflowError: Nothing of the image is in the field.
    """
    block = _Block(attention, attention_ratio, batch_norm_momentum, zero_gamma)
    # FER-2013's mean and deviation are 129 and 65: about 0 and 1 after this, and what pads is mid-gray.
    inputs, x = image_input(image_shape, input_size=input_size, field=field, scale=1 / 64, offset=-2.0)
    x = _convolution(x, stem, stem_kernel, stem_stride)
    x = layers.ReLU()(block.normalised(x))
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        for number in range(count):
            x = block(x, width, stride=2 if stage and not number else 1)
    x = pool(x, pooling)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, classifier(x, num_classes), name="residual")


@dataclass(frozen=True, slots=True)
class _Block:
    """What all residual blocks of a network have in common; called, it appends one."""

    attention: Attention
    attention_ratio: int
    momentum: float
    zero_gamma: bool

    def __call__(self, x: Any, width: int, *, stride: int) -> Any:
        branch = layers.ReLU()(self.normalised(_convolution(x, width, 3, stride)))
        branch = self.normalised(_convolution(branch, width, 3), last=True)
        branch = attend(branch, self.attention, ratio=self.attention_ratio)
        if stride > 1:
            x = layers.AveragePooling2D(stride, padding="same")(x)
        if x.shape[-1] != width:
            x = self.normalised(_convolution(x, width, 1))
        return layers.ReLU()(layers.Add()([branch, x]))

    def normalised(self, x: Any, *, last: bool = False) -> Any:
        start = "zeros" if last and self.zero_gamma else "ones"
        return layers.BatchNormalization(momentum=self.momentum, gamma_initializer=start)(x)


def _convolution(x: Any, width: int, kernel: int, stride: int = 1) -> Any:
    return layers.Conv2D(
        width, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)
