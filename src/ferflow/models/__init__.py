"""Models: one module per architecture; the name in params.yaml is the module's name.

Every module offers

    build(image_shape, num_classes, *, input_size, **options) -> keras.Model

that takes raw uint8 images `(N, H, W, 1)` and gives float32 probabilities `(N, num_classes)`. Its
options are keyword arguments with literal defaults: the `options` of a recipe. They are annotated by
Python's own types or those of `ferflow.params.options`, by which values are checked before anything
runs. What only shows while the model is built is a `FerflowError` that begins with the recipe's key.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ferflow.errors import FerflowError
from ferflow.params.architectures import architectures, check_options

if TYPE_CHECKING:
    import keras

__all__ = ["architectures", "build", "check_options"]


def build(
    architecture: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    input_size: int,
    options: Mapping[str, Any],
    where: str | None = None,
) -> keras.Model:
    """Build an architecture by its name.

    Args:
        architecture: A module of this package, e.g. `"cnn4"`.
        image_shape: (H, W, C) of the raw images; C is 1.
        num_classes: Length of the probability vector.
        input_size: Height and width to which the model's first layer resizes, in pixels.
        options: The architecture's own options.
        where: The recipe, as `Params.where` calls it, for messages.

    Raises:
        FerflowError: There is no such architecture, it has no such option, or a value is out of range.
    """
    check_options(architecture, options, where)
    module = importlib.import_module(f"{__name__}.{architecture}")
    prefix = f"params.yaml: {where}: " if where else "params.yaml: "
    try:
        model: keras.Model = module.build(image_shape, num_classes, input_size=input_size, **options)
    except FerflowError as error:
        raise FerflowError(f"{prefix}{error}") from None
    except (ValueError, TypeError, ArithmeticError) as error:
        raise FerflowError(
            f"{prefix}'{architecture}' cannot be built with input_size {input_size} and options "
            f"{dict(options)}: {_reason(error)}"
        ) from None
    return model


def _reason(error: Exception) -> str:
    """Return the line of an error that says what is wrong; in those of Keras's layers it is bold."""
    text = str(error)
    bold = re.search(r"\x1b\[1m(.+?)\x1b\[0m", text, re.DOTALL)
    return (bold[1] if bold else text).strip().partition("\n")[0]
