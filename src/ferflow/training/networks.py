"""What the phases of a recipe train: the model's fast twin, one for each input size.

All are made before anything is trained, so that a phase that cannot be is found at once and not after hours.
"""

from __future__ import annotations

from collections.abc import Callable

import keras

from ferflow.errors import FerflowError
from ferflow.params import Recipe
from ferflow.training.acceleration import accelerate
from ferflow.training.checkpoint import assign, values_of
from ferflow.training.devices import Precision
from ferflow.training.phases import set_trainable


class Networks:
    """The twins by input size; one of them, `present`, holds the weights.

    Args:
        model: A built model in float32, of the recipe's input size.
        recipe: Its phases say which sizes there are.
        precision: Of the twins.
        resized: From pixels to the same architecture at that input size; needed if a phase has its own.

    Raises:
        FerflowError: A phase trains layers that the architecture does not have, or has another size though
            the weights depend on it.
    """

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        precision: Precision,
        resized: Callable[[int], keras.Model] | None,
    ) -> None:
        self._by_size = {
            size: accelerate(
                model if size == recipe.input_size else _at_size(size, model, resized),
                precision,
                batch_norm_momentum=recipe.batch_norm_momentum,
            )
            for size in {
                recipe.input_size: None,
                **dict.fromkeys(map(recipe.size_of, recipe.phases.values())),
            }
        }
        self._size = recipe.input_size
        for name, phase in recipe.phases.items():
            set_trainable(self.present, phase.trainable, f"phases.{name}.trainable")
        set_trainable(self.present, "all", "")

    @property
    def present(self) -> keras.Model:
        """The twin that holds the weights."""
        return self._by_size[self._size]

    def resize(self, size: int) -> None:
        """Hand the weights, and the state of random layers, on to the twin of another size."""
        if size != self._size:
            values = values_of(self.present.variables)
            self._size = size
            assign(self.present.variables, values)


def _at_size(size: int, model: keras.Model, resized: Callable[[int], keras.Model] | None) -> keras.Model:
    if resized is None:
        raise ValueError(f"a phase trains at {size} pixels: `resized` is needed")
    other = resized(size)
    if [each.shape for each in other.weights] != [each.shape for each in model.weights]:
        raise FerflowError(
            f"params.yaml: the weights of '{model.name}' depend on its input size: its phases cannot have "
            f"an input_size ({size}) of their own."
        )
    return other
