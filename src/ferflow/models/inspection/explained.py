"""Any model of ours taken apart into its networks and their weights, to explain its answer by theirs.

A saved model may be one network, several as one (`ferflow.models.ensemble`), and either of them over several
views of an image (`ferflow.models.views`). Only a network has a last feature map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from ferflow.data.arrays import Images
from ferflow.models.inspection.graph import Step, functional, steps_of
from ferflow.models.inspection.saliency import Maps, class_activation_maps, mean_class_activation_maps


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks whose answers a model's answer is made of.

    Attributes:
        members: By name; one for a model that is a network itself.
        weights: How much the probabilities of each weigh; they sum to 1.
    """

    members: dict[str, keras.Model]
    weights: dict[str, float]


def networks_of(model: keras.Model) -> Networks:
    """Return the networks that a model is made of, and how much each of them weighs.

    Of a model that averages over views, they are those that see each view.

    Args:
        model: A functional or sequential model, saved and opened again or not.

    Raises:
        ValueError: It is another kind of model, whose steps are not known.
    """
    model = _before_views(model)
    shares = _shares(steps_of(model))
    if not shares:
        return Networks({model.name: model}, {model.name: 1.0})
    total = sum(weight for _, weight in shares.values())
    members = {name: member for name, (member, _) in shares.items()}
    return Networks(members, {name: weight / total for name, (_, weight) in shares.items()})


def explained(
    model: keras.Model, images: Images, classes: Sequence[int] | npt.NDArray[np.integer[Any]]
) -> Maps | None:
    """Return what spoke for a class in each image, as of `class_activation_maps`, for any model of ours.

    Of an ensemble it is the weighted mean of its networks' maps; of a model that averages over views, the map
    of the image as it is.

    Args:
        model: A model that takes raw images and gives a probability for each class.
        images: uint8 of shape (N, H, W, C).
        classes: The class of each image, shape (N,).

    Returns:
        None if there is no map: none of its networks has a feature map, or its steps are not known.
    """
    try:
        networks = networks_of(model)
    except ValueError:
        return None
    if len(networks.members) == 1:
        (network,) = networks.members.values()
        return class_activation_maps(network, images, classes)
    return mean_class_activation_maps(networks.members, networks.weights, images, classes)


def _before_views(model: keras.Model) -> keras.Model:
    """Return the model that another one shows several views of an image, or the model itself.

    Known by its last steps, not by its name: as a member of an ensemble it has another one.
    """
    model = functional(model)
    steps = steps_of(model)
    made_by = {id(step.output): step for step in steps}
    step = steps[-1]
    for kind in ("Mean", "Reshape"):
        before = made_by.get(id(step.inputs[0])) if type(step.operation).__name__ == kind else None
        if before is None:
            return model
        step = before
    return functional(step.operation) if step.is_network else model


def _shares(steps: Sequence[Step]) -> dict[str, tuple[keras.Model, float]]:
    """Return the members of an ensemble with their weights; none if the steps are not those of one."""
    networks = {id(step.output): step.operation for step in steps if step.is_network}
    shares = {}
    for step in steps:
        if step.is_network or isinstance(step.operation, (layers.InputLayer, layers.Add)):
            continue
        name = step.operation.name
        member = networks.get(id(step.inputs[0])) if step.inputs else None
        if member is None or name != f"share_of_{member.name.removeprefix('member_')}":
            return {}
        shares[member.name.removeprefix("member_")] = (_before_views(member), float(step.operation.scale))
    return shares
