"""Grad-CAM: where in an image a network sees what speaks for a class.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (ICCV
2017): the channels of the last feature map, weighted by how much each of them raises the score of the class,
summed up, and cut off at zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from ferflow.data.arrays import Images
from ferflow.models.inspection.gradients import gradient
from ferflow.models.inspection.graph import Step, all_steps, bottlenecks, functional, steps_of

Maps = npt.NDArray[np.float32]

# A map of 2 × 2 places tells no eye from a mouth.
_LEAST_SIDE: Final = 3
_BATCH: Final = 64
#: They blur or thin out the map that they get and learn nothing: the paper takes the map before them.
_WITHOUT_MAP_OF_ITS_OWN: Final = (layers.MaxPooling2D, layers.AveragePooling2D, layers.Dropout)


def class_activation_maps(
    model: keras.Model, images: Images, classes: Sequence[int] | npt.NDArray[np.integer[Any]]
) -> Maps | None:
    """Return the Grad-CAM of a class for each image, float32 of shape (N, H, W) in [0, 1].

    The largest value of a map is 1; a map is 0 everywhere if nothing in the image speaks for the class. Maps
    are as fine as the network's last feature map and interpolated to the images' size; what the network
    crops away is 0.

    The feature map is the last one of at least 3 × 3 places that everything behind it depends on through
    nothing else, in nested networks too: not a branch of a block. The score is the logit where the network
    ends in a softmax layer, as in the paper: the gradient of a probability near 1 is all but zero.

    Args:
        model: A functional model that takes raw images and gives a value for each class; not one that
            averages over views.
        images: uint8 of shape (N, H, W, C).
        classes: The class of each image, shape (N,).

    Returns:
        None if the network has no such map: one of dense layers alone, say.

    Raises:
        ValueError: There is not one class for each image, or the model makes several of each image.
    """
    model = functional(model)
    if len(images) != len(classes):
        raise ValueError(f"expected a class for each of {len(images)} images, got {len(classes)}")
    parts = _split(model)
    if parts is None:
        return None
    before, after = parts
    field = _field(model)
    chosen = np.asarray(classes, dtype=np.int32)
    maps = np.zeros(images.shape[:3], dtype=np.float32)
    for start in range(0, len(images), _BATCH):
        batch = slice(start, start + _BATCH)
        coarse = _coarse_maps(before, after, np.asarray(images[batch]), chosen[batch])
        maps[batch, field[0], field[1]] = _resized(coarse, maps[batch, field[0], field[1]].shape[1:])
    largest = maps.max(axis=(1, 2), keepdims=True, initial=0)
    return np.divide(maps, largest, out=maps, where=largest > 0)


def mean_class_activation_maps(
    members: Mapping[str, keras.Model],
    weights: Mapping[str, float],
    images: Images,
    classes: Sequence[int] | npt.NDArray[np.integer[Any]],
) -> Maps | None:
    """Return what spoke for a class in an ensemble: the weighted mean of its members' maps.

    The paths of several networks meet only in their probabilities, so an ensemble has no last feature map.

    Args:
        members: The networks by name, as of `class_activation_maps`.
        weights: How much the probabilities of each weigh.
        images: As of `class_activation_maps`.
        classes: As of `class_activation_maps`.

    Returns:
        None if no member has a map; those without one have no say.
    """
    maps = {name: class_activation_maps(model, images, classes) for name, model in members.items()}
    known = {name: of_member for name, of_member in maps.items() if of_member is not None}
    if not known:
        return None
    total = sum(weights[name] for name in known)
    mean = sum(weights[name] / total * of_member for name, of_member in sorted(known.items()))
    return np.asarray(mean, dtype=np.float32)


def _coarse_maps(
    before: list[keras.Model], after: list[keras.Model], images: Images, classes: npt.NDArray[np.int32]
) -> Maps:
    """Return maps of the size of the feature map."""

    def score(features: Any) -> Any:
        scores = _through(after, features)
        return ops.sum(scores * ops.one_hot(classes, scores.shape[-1], dtype=scores.dtype))

    features = _through(before, ops.convert_to_tensor(images))
    if len(features) != len(images):
        raise ValueError(f"the model makes {len(features)} feature maps of {len(images)} images")
    weights = gradient(score, features).mean(axis=(1, 2), keepdims=True)
    maps = (weights * ops.convert_to_numpy(features)).sum(axis=-1)
    return np.maximum(maps, 0, dtype=np.float32)


def _split(model: keras.Model, *, nested: bool = False) -> tuple[list[keras.Model], list[keras.Model]] | None:
    """Return the networks that lead, one after the other, to the feature map and from there to the scores.

    The scores of a nested network are what it gives, whatever its last layer is.
    """
    model = functional(model)
    steps = steps_of(model)
    ends_in_softmax = not nested and isinstance(steps[-1].operation, layers.Softmax)
    scores = steps[-1].inputs[0] if ends_in_softmax else model.output
    for place in reversed(bottlenecks(steps)):
        step = steps[place]
        if step.is_network:
            if inner := _split(step.operation, nested=True):
                before = [*_network(model.input, step.inputs[0]), *inner[0]]
                return before, [*inner[1], *_network(step.output, scores)]
        elif _is_map(step) and _has_learnt(steps[: place + 1]):
            return _network(model.input, step.output), _network(step.output, scores)
    return None


def _is_map(step: Step) -> bool:
    too_small = step.side is None or min(step.side) < _LEAST_SIDE
    return not too_small and not isinstance(step.operation, _WITHOUT_MAP_OF_ITS_OWN)


def _has_learnt(steps: list[Step]) -> bool:
    """Return whether a convolution has been before: without one, the map is the image itself."""
    inner = [part for step in steps for part in (all_steps(step.operation) if step.is_network else [step])]
    return any(step.side and getattr(step.operation, "kernel_size", None) for step in inner)


def _network(start: Any, end: Any) -> list[keras.Model]:
    return [] if start is end else [keras.Model(start, end)]


def _through(networks: list[keras.Model], x: Any) -> Any:
    for network in networks:
        x = network(x, training=False)
    return x


def _field(model: keras.Model) -> tuple[slice, slice]:
    """Return the rows and columns of the images that the network does not crop away at once."""
    height, width = model.input.shape[1:3]
    (top, bottom), (left, right) = (0, 0), (0, 0)
    for step in steps_of(model):
        if isinstance(step.operation, layers.Cropping2D) and step.inputs[0] is model.input:
            (top, bottom), (left, right) = step.operation.cropping
    return slice(top, height - bottom), slice(left, width - right)


def _resized(maps: Maps, size: tuple[int, ...]) -> Maps:
    resized = ops.image.resize(maps[..., None], size, interpolation="bilinear")
    return np.asarray(ops.convert_to_numpy(resized), dtype=np.float32)[..., 0]
