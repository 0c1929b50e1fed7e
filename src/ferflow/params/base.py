"""What all parts of params.yaml share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _name(value: str) -> str:
    # A table that is read back takes these for an empty cell.
    if not re.fullmatch("[a-z][a-z0-9_]*", value) or value in {"nan", "null"}:
        raise ValueError(
            "a name is made of small letters, digits and _, and begins with a letter; nan and null are none "
            f"(found {value!r})"
        )
    return value


#: What becomes part of paths, of the names of stages and of Python's modules.
Name = Annotated[str, AfterValidator(_name)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Momentum = Annotated[float, Field(gt=0, lt=1)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]


class Strict(BaseModel):
    """Refuses unknown keys, values of another type, and changes after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
