"""The part of params.yaml about evaluation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ferflow.params.base import Strict


class EvaluateParams(Strict):
    """Test-time augmentation: over which views of an image a model's probabilities are averaged.

    Attributes:
        horizontal_flip: See the mirror image of each view too.
        shift: Pixels of the stored image by which it is also seen moved up, down, left and right; 0 for
            the image in its place alone.
    """

    horizontal_flip: bool
    shift: Annotated[int, Field(ge=0, le=8)]
