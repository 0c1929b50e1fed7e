"""A functional network as a list of steps, and the steps that nothing goes around."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation of a network, between the symbolic tensors that it takes and gives.

    Attributes:
        operation: A layer, a function of `keras.ops`, or a network that is used as a layer.
        inputs: What it takes; none for the input layer.
        output: What it gives.
    """

    operation: Any
    inputs: tuple[Any, ...]
    output: Any

    @property
    def side(self) -> tuple[int, int] | None:
        """Height and width of the feature map that it gives; None if that is a vector."""
        return _side(self.output)

    @property
    def is_network(self) -> bool:
        """Whether it is a network with steps of its own."""
        return _is_functional(self.operation) or isinstance(self.operation, keras.Sequential)


def functional(model: keras.Model) -> keras.Model:
    """Return a functional model as it is, and a sequential one as a functional one of the same layers.

    Raises:
        ValueError: It is another kind of model, whose steps are not known.
    """
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not _is_functional(model):
        raise ValueError(f"{type(model).__name__} is neither a functional nor a sequential model")
    return model


def steps_of(model: keras.Model) -> list[Step]:
    """Return the steps of a model in the order of computation; a nested network is one step.

    Args:
        model: A functional or sequential model with one input and one output, each of whose operations
            gives one tensor.

    Raises:
        ValueError: It is another kind of model.
    """
    # Keras has no public way to ask who feeds whom in this model and not in another that shares its layers;
    # its own summary and plot_model read the same attribute.
    by_depth: dict[int, list[Any]] = functional(model)._nodes_by_depth
    return [
        Step(node.operation, tuple(node.input_tensors), node.outputs[0])
        for depth in sorted(by_depth, reverse=True)
        for node in by_depth[depth]
    ]


def all_steps(model: keras.Model) -> Iterator[Step]:
    """Yield the steps of a functional model, those of nested networks in the place of these."""
    for step in steps_of(model):
        if step.is_network:
            yield from all_steps(step.operation)
        else:
            yield step


def bottlenecks(steps: list[Step]) -> list[int]:
    """Return the places in `steps` that every way from the input to the output leads through.

    The steps after one of them depend on those before it by its output alone: a residual block, from one
    bottleneck to the next, ends at its addition.
    """
    place = {id(step.output): number for number, step in enumerate(steps)}
    last_use = list(range(len(steps)))
    for number, step in enumerate(steps):
        for tensor in step.inputs:
            source = place[id(tensor)]
            last_use[source] = max(last_use[source], number)
    found, reach = [], 0
    for number, last in enumerate(last_use):
        if reach <= number:
            found.append(number)
        reach = max(reach, last)
    return found


def _is_functional(operation: Any) -> bool:
    return isinstance(operation, keras.Model) and hasattr(operation, "operations")


def _side(tensor: Any) -> tuple[int, int] | None:
    shape = tensor.shape
    return (shape[1], shape[2]) if len(shape) == 4 and None not in shape[1:3] else None
