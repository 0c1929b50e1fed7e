"""The architectures that there are and what their options may be, read from their signatures.

The modules of `ferflow.models` are parsed, not imported: no framework is loaded, so params.yaml is checked in
milliseconds.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, PydanticUndefinedAnnotation, ValidationError, create_model

from ferflow.errors import FerflowError
from ferflow.params import options as types_of_options
from ferflow.params.base import Strict
from ferflow.params.explain import did_you_mean, explain

_FOLDER: Final = Path(__file__).parent.parent / "models"
_FIXED_ARGUMENTS: Final = {"input_size"}


def architectures() -> list[str]:
    """Return the names of all architectures, sorted: the modules of `ferflow.models` that define `build`."""
    return sorted(
        file.stem for file in _FOLDER.glob("*.py") if not file.stem.startswith("_") and _build_function(file)
    )


def check_options(architecture: str, options: Mapping[str, Any], where: str | None = None) -> None:
    """Raise a `FerflowError` unless the architecture exists and takes `options` with their values.

    Args:
        architecture: A module of `ferflow.models`, e.g. `"cnn4"`.
        options: The keyword arguments of its `build` but for `input_size`.
        where: The recipe that has them, e.g. `"models.cnn4 (quick budget)"`, for the message.
    """
    prefix = f"{where}: " if where else ""
    types = _types(_FOLDER / f"{architecture}.py")
    if types is None:
        known = architectures()
        raise FerflowError(
            f"params.yaml: {prefix}there is no architecture '{architecture}'; there are "
            f"{', '.join(known)}{did_you_mean(architecture, known)}"
        )
    for name in options:
        if name not in types.model_fields:
            raise FerflowError(
                f"params.yaml: {prefix}options.{name}: architecture '{architecture}' has no option '{name}'; "
                f"it has {', '.join(types.model_fields) or 'none'}{did_you_mean(name, types.model_fields)}"
            )
    try:
        types.model_validate(options)
    except ValidationError as error:
        raise FerflowError(explain(error, f"{prefix}options.")) from None


def _build_function(file: Path) -> ast.FunctionDef | None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            return node
    return None


@functools.cache
def _types(file: Path) -> type[BaseModel] | None:
    """Return a model whose fields are the options of a file's `build` function, or None without one."""
    builder = _build_function(file) if file.is_file() else None
    if builder is None:
        return None
    fields: dict[str, Any] = {
        argument.arg: (
            ast.unparse(argument.annotation) if argument.annotation else "object",
            _field(default, file),
        )
        for argument, default in zip(builder.args.kwonlyargs, builder.args.kw_defaults, strict=True)
        if argument.arg not in _FIXED_ARGUMENTS
    }
    # Not a child of Strict: its fields would be suggested where a key of another part is misspelt.
    config = ConfigDict(**Strict.model_config, protected_namespaces=())
    model = create_model("Options", __config__=config, __module__=types_of_options.__name__, **fields)
    try:
        model.model_rebuild(raise_errors=True)
    except PydanticUndefinedAnnotation as error:
        raise FerflowError(
            f"{file}: `build` has an option of the type '{error.name}', which {types_of_options.__name__} "
            "does not have: define it there."
        ) from None
    return model


def _field(default: ast.expr | None, file: Path) -> Any:
    """Return a field with a default as it is written in a signature; one without must be given."""
    if default is None:
        return Field()
    try:
        # Validated too: an option may have to agree with what another one is by default.
        return Field(default=ast.literal_eval(default), validate_default=True)
    except ValueError:
        raise FerflowError(
            f"{file}, line {default.lineno}: the default of an option must be written out, not computed."
        ) from None
