"""What the options of architectures may be: the types in the signatures of `ferflow.models.<name>.build`.

Architectures are checked by their signatures alone, which are read and not imported
(`ferflow.params.architectures`): the types of options are those in this module and Python's own.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from ferflow.params.base import Fraction, Momentum, NonNegativeFloat, PositiveFloat, PositiveInt, Share
from ferflow.params.explain import did_you_mean

__all__ = [
    "Attention",
    "Blocks",
    "Fraction",
    "Momentum",
    "Network",
    "NonNegativeFloat",
    "Pooling",
    "PositiveFloat",
    "PositiveInt",
    "Share",
    "Sizes",
    "Widths",
    "networks",
]


def networks() -> list[str]:
    """Return the names of all networks of `keras.applications`; Keras is read, not imported."""
    module = Path(str(distribution("keras").locate_file("keras/applications/__init__.py")))
    content = ast.parse(module.read_text(encoding="utf-8")).body
    imports = [node for node in content if isinstance(node, ast.ImportFrom)]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    return sorted(name for name in names if name[0].isupper())  # the others are modules


def _is_network(value: str) -> str:
    known = networks()
    if value not in known:
        raise ValueError(f"keras.applications has no network '{value}'{did_you_mean(value, known)}")
    return value


def _is_list(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError(f"Input should be a list of whole numbers, e.g. [64, 128] (found {value!r})")
    return value


def _one_for_each_width(blocks: Sequence[int], others: ValidationInfo) -> Sequence[int]:
    widths = others.data.get("widths", blocks)  # absent if something is wrong with them
    if len(blocks) != len(widths):
        raise ValueError(
            f"Input should be one number for each of the {len(widths)} widths (found {[*blocks]})"
        )
    return blocks


#: A function of `keras.applications`.
Network = Annotated[str, AfterValidator(_is_network)]
#: How a feature map becomes a vector.
Pooling = Literal["avg", "max", "flatten"]
#: What a block weighs before it ends: channels, places, channels and then places, or nothing.
Attention = Literal["se", "spatial", "both", None]
#: Units or channels of layers in a row.
Sizes = Annotated[Sequence[PositiveInt], BeforeValidator(_is_list)]
#: Channels of each stage.
Widths = Annotated[Sizes, Field(min_length=1)]
#: Blocks of each stage; the option stands behind `widths`.
Blocks = Annotated[Sizes, AfterValidator(_one_for_each_width)]
