"""Which layers train in a phase."""

from __future__ import annotations

from typing import Literal

import keras

from ferflow.errors import FerflowError
from ferflow.models.layers import BASE


def set_trainable(model: keras.Model, trainable: Literal["all", "head"] | int, where: str) -> None:
    """Set the layers of `model` that train; it must be compiled afterwards.

    Batch normalisation in frozen layers stays frozen: Keras runs it with its moving statistics.

    Args:
        model: Any model; only one with a base network has a head.
        trainable: "all", "head" (everything but the base), or the number of the base's last layers
            that train with the head.
        where: The phase's key in params.yaml, for the message.

    Raises:
        FerflowError: The model has no base network, or fewer layers in it than asked for.
    """
    # Keras passes a value on to the layers only when it changes: a phase before may have frozen some.
    model.trainable = False
    model.trainable = True
    if trainable == "all":
        return
    base = next((layer for layer in model.layers if layer.name == BASE), None)
    if base is None:
        raise FerflowError(f"params.yaml: {where}: this architecture has no base to freeze; use `all`.")
    if trainable == "head":
        base.trainable = False
        return
    if trainable > len(base.layers):
        raise FerflowError(f"params.yaml: {where}: the base has only {len(base.layers)} layers.")
    for layer in base.layers[:-trainable]:
        layer.trainable = False
