"""Models: one module per architecture; the name in params.yaml is the module's name.

Every module offers

    build(image_shape, num_classes, *, input_size, **options) -> keras.Model

that takes raw uint8 images `(N, H, W, 1)` and gives float32 probabilities `(N, num_classes)`. Its
options are keyword arguments with defaults: the `options` of a recipe.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ferflow.errors import FerflowError

if TYPE_CHECKING:
    import keras

_FOLDER: Final = Path(__file__).parent
_FIXED_ARGUMENTS: Final = {"input_size"}


def build(
    architecture: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    input_size: int,
    options: Mapping[str, Any],
) -> keras.Model:
    """Build an architecture by its name.

    Args:
        architecture: A module of this package, e.g. `"cnn4"`.
        image_shape: (H, W, C) of the raw images; C is 1.
        num_classes: Length of the probability vector.
        input_size: Height and width to which the model's first layer resizes, in pixels.
        options: The architecture's own options.

    Raises:
        FerflowError: There is no such architecture, it has no such option, or a value is out of range.
    """
    check_options(architecture, options)
    module = importlib.import_module(f"{__name__}.{architecture}")
    try:
        model: keras.Model = module.build(image_shape, num_classes, input_size=input_size, **options)
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise FerflowError(
            f"params.yaml: architecture '{architecture}' cannot be built at {input_size} pixels with "
            f"{dict(options)}: {reason}"
        ) from None
    return model


def check_options(architecture: str, options: Mapping[str, Any]) -> None:
    """Raise a `FerflowError` unless the architecture exists and takes every one of `options`.

    The module is parsed, not imported: no framework is loaded, so params.yaml is checked in
    milliseconds.
    """
    file = _FOLDER / f"{architecture}.py"
    builder = _build_function(file) if file.is_file() else None
    if builder is None:
        raise FerflowError(
            f"params.yaml: there is no architecture '{architecture}'; there are {', '.join(architectures())}."
        )
    known = [argument.arg for argument in builder.args.kwonlyargs if argument.arg not in _FIXED_ARGUMENTS]
    for name in options:
        if name not in known:
            raise FerflowError(
                f"params.yaml: architecture '{architecture}' has no option '{name}'; "
                f"it has {', '.join(known) or 'none'}."
            )


def architectures() -> list[str]:
    """Return the names of all architectures, sorted: the modules here that define `build`."""
    return sorted(
        file.stem for file in _FOLDER.glob("*.py") if not file.stem.startswith("_") and _build_function(file)
    )


def _build_function(file: Path) -> ast.FunctionDef | None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            return node
    return None
