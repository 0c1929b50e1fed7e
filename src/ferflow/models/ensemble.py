"""Several models as one: a model that gives the mean of its members' probabilities.

Dietterich, "Ensemble methods in machine learning" (MCS 2000). Members that err on different images correct
each other; an ensemble takes as long as all of them together.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras

from ferflow.errors import FerflowError


def ensemble(
    members: Mapping[str, keras.Model], weights: Mapping[str, float] | None = None, *, name: str = "ensemble"
) -> keras.Model:
    """Return a model that gives the weighted mean of its members' probabilities.

    It takes the same images and is made of stock Keras layers: it is saved, opened and served like any other
    model. It depends on neither the order of the members nor on what else was built before.

    Args:
        members: By name, models that take images (N, H, W, C) of one shape and give float32 probabilities
            (N, classes). They are shared, not copied: what changes their weights changes both.
        weights: Each member's weight, above 0; they need not sum to 1. None weighs all alike.
        name: The model's own name.

    Raises:
        FerflowError: The members do not take the same images or do not know the same number of classes.
    """
    names = sorted(members)
    weights = dict.fromkeys(names, 1.0) if weights is None else weights
    if not names or sorted(weights) != names or min(weights.values()) <= 0:
        raise ValueError(f"one weight above 0 for each of {names}, not {dict(weights)}")
    _check_alike(members)

    first = members[names[0]]
    inputs = keras.Input(first.input.shape[1:], dtype=first.input.dtype, name="image")
    total = sum(weights[each] for each in names)
    shares = []
    for each in names:
        model = members[each]
        # Under its own name: members of one architecture are called alike, and so would be their layers.
        member = keras.Model(model.input, model.output, name=f"member_{each}")
        share = keras.layers.Rescaling(weights[each] / total, dtype="float32", name=f"share_of_{each}")
        shares.append(share(member(inputs)))
    outputs = keras.layers.Add(dtype="float32", name="probabilities")(shares) if shares[1:] else shares[0]
    return keras.Model(inputs, outputs, name=name)


def _check_alike(members: Mapping[str, keras.Model]) -> None:
    kinds = {
        name: (model.input.dtype, model.input.shape[1:], model.output.shape[-1])
        for name, model in members.items()
    }
    if len(set(kinds.values())) > 1:
        found = ", ".join(
            f"{name}: {dtype} {shape} to {classes} classes"
            for name, (dtype, shape, classes) in sorted(kinds.items())
        )
        raise FerflowError(f"models of one ensemble must take and give the same; there are {found}.")
