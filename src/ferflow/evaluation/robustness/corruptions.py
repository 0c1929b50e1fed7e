"""Ten ways in which an image can be worse, at five severities each, after ImageNet-C.

Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations"
(ICLR 2019). Their strengths are for objects of 224 pixels; here they are fractions of the image's sides
where that has a meaning, chosen so that a person still sees a face at severity 5. Those in gray levels are
theirs for small images: noise as in Tiny-ImageNet-C, brightness and contrast as in CIFAR-10-C.

A corrupted image depends on the image, the corruption and the severity alone: what is random is drawn from
its pixels and a constant, so that neither its place nor its batch matter. Of one image all severities share
the draw: a higher one is the same damage, further gone.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from ferflow.evaluation.robustness.occlusion import Floats, bar_over_eyes, hand_over_mouth

Images = npt.NDArray[np.uint8]

SEVERITIES: Final = (1, 2, 3, 4, 5)
#: What tables call the images as they are; their severity is 0.
CLEAN: Final = "none"
_SEED: Final = 2013
_WHITE: Final = 255


@dataclass(frozen=True)
class Corruption:
    """One kind of damage.

    Attributes:
        title: What people call it.
        apply: Takes images as float32 (N, H, W, C), 0 to 255, and a strength; returns them damaged, in
            float32, perhaps beyond 0 to 255.
        strengths: One for each severity.
    """

    title: str
    apply: Callable[[Floats, float], Floats]
    strengths: tuple[float, float, float, float, float]


def corrupt(images: Images, corruption: str, severity: int) -> Images:
    """Return damaged copies of `images`, uint8 of the same shape.

    Args:
        images: uint8 of shape (N, H, W, 1) or (N, H, W, 3).
        corruption: A key of `CORRUPTIONS`.
        severity: 1 (hardly seen) to 5.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"expected uint8 (N, H, W, 1 or 3), got {images.dtype} {images.shape}")
    kind = CORRUPTIONS[corruption]
    damaged = kind.apply(images.astype(np.float32), kind.strengths[SEVERITIES.index(severity)])
    return np.asarray(np.clip(np.rint(damaged), 0, _WHITE), dtype=np.uint8)


def _noise(images: Floats, deviation: float) -> Floats:
    """Add Gaussian noise of a standard deviation in white levels, drawn for each pixel and channel."""
    drawn = np.stack([_generator(image).standard_normal(image.shape, dtype=np.float32) for image in images])
    return _float(images + np.float32(deviation * _WHITE) * drawn)


def _blur(images: Floats, deviation: float) -> Floats:
    """Blur by a Gaussian of a standard deviation in sides of the image."""
    height, width = images.shape[1:3]
    return _float(ndimage.gaussian_filter(images, (deviation * height, deviation * width), axes=(1, 2)))


def _brightness(images: Floats, change: float) -> Floats:
    """Add a share of white to every pixel."""
    return _float(images + np.float32(change * _WHITE))


def _contrast(images: Floats, share: float) -> Floats:
    """Keep a share of every pixel's difference from the image's mean."""
    mean = images.mean(axis=(1, 2), keepdims=True)
    return _float(mean + np.float32(share) * (images - mean))


def _rotation(images: Floats, degrees: float) -> Floats:
    """Turn around the middle, to one side or the other; what comes into sight repeats the edge."""
    left = np.array([_generator(image).random() < 0.5 for image in images])
    turned = np.empty_like(images)
    for chosen, angle in ((left, degrees), (~left, -degrees)):
        options: dict[str, Any] = {"axes": (2, 1), "reshape": False, "order": 1, "mode": "nearest"}
        turned[chosen] = ndimage.rotate(images[chosen], angle, **options) if chosen.any() else 0
    return turned


def _low_resolution(images: Floats, share: float) -> Floats:
    """Shrink the sides to a share of theirs, each new pixel a mean, and enlarge them again, bilinearly."""
    rows, columns = (_through_fewer_pixels(side, share) for side in images.shape[1:3])
    return _float(np.einsum("yh,nhwc,xw->nyxc", rows, images, columns, optimize=True))


def _jpeg(images: Floats, quality: float) -> Floats:
    """Save as JPEG of a quality from 1 to 95, and open again; its blocks are of 8 pixels in any image."""
    reopened = np.empty_like(images)
    for place, image in enumerate(images.astype(np.uint8)):
        stream = io.BytesIO()
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(
            stream, "JPEG", quality=int(quality)
        )
        reopened[place] = np.asarray(Image.open(stream)).reshape(image.shape)
    return reopened


def _through_fewer_pixels(side: int, share: float) -> Floats:
    """Return the (side, side) matrix that takes one axis of an image through fewer pixels."""
    fewer = max(1, round(share * side))
    # What a linear operation makes of the unit vectors is its matrix.
    unit = Image.fromarray(np.eye(side, dtype=np.float32))
    small = unit.resize((side, fewer), Image.Resampling.BOX)
    return np.asarray(small.resize((side, side), Image.Resampling.BILINEAR), dtype=np.float32)


def _generator(image: Floats) -> np.random.Generator:
    """Return the random numbers of one image, the same wherever it comes up."""
    digest = hashlib.sha256(image.astype(np.uint8).tobytes()).digest()
    return np.random.default_rng([_SEED, int.from_bytes(digest[:8], "big")])


def _float(images: npt.NDArray[Any]) -> Floats:
    return images.astype(np.float32, copy=False)


#: In the order of tables and figures.
CORRUPTIONS: Final[Mapping[str, Corruption]] = MappingProxyType(
    {
        "noise": Corruption("noise", _noise, (0.04, 0.08, 0.12, 0.15, 0.18)),
        "blur": Corruption("blur", _blur, (0.010, 0.016, 0.022, 0.030, 0.040)),
        "mouth_covered": Corruption("mouth covered", hand_over_mouth, (0.20, 0.32, 0.44, 0.56, 0.68)),
        "eyes_covered": Corruption("eyes covered", bar_over_eyes, (0.02, 0.05, 0.10, 0.16, 0.25)),
        "brighter": Corruption("brighter", _brightness, (0.05, 0.1, 0.15, 0.2, 0.3)),
        "darker": Corruption("darker", _brightness, (-0.05, -0.1, -0.15, -0.2, -0.3)),
        "low_contrast": Corruption("low contrast", _contrast, (0.75, 0.5, 0.4, 0.3, 0.15)),
        "rotation": Corruption("rotation", _rotation, (6, 12, 18, 24, 30)),
        "low_resolution": Corruption("low resolution", _low_resolution, (0.75, 0.58, 0.46, 0.35, 0.25)),
        "jpeg": Corruption("JPEG", _jpeg, (50, 30, 20, 12, 7)),
    }
)
