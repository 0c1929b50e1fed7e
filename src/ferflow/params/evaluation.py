"""The part of params.yaml about evaluation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ferflow.params.base import Name, PositiveInt, Strict


class EvaluateParams(Strict):
    """Test-time augmentation: over which views of an image a model's probabilities are averaged.

    Attributes:
        horizontal_flip: See the mirror image of each view too.
        shift: Pixels of the stored image by which it is also seen moved up, down, left and right; 0 for
            the image in its place alone.
    """

    horizontal_flip: bool
    shift: Annotated[int, Field(ge=0, le=8)]


def _ascending(severities: list[int]) -> list[int]:
    if not severities or severities != sorted(set(severities)):
        raise ValueError(f"at least one severity, each once, lowest first (found {severities})")
    return severities


class ProbeParams(Strict):
    """How closely a model is asked about damaged images.

    Attributes:
        samples: How many test images are damaged, stratified by label; all where there are fewer.
        severities: Which of 1 (hardly seen) to 5. Every image is asked about ten times at each of them.
    """

    samples: Annotated[int, Field(ge=7)]
    severities: Annotated[list[Annotated[int, Field(ge=1, le=5)]], AfterValidator(_ascending)]


class RobustnessParams(Strict):
    """The probe of each budget: models of one budget compare, those of two do not."""

    quick: ProbeParams
    full: ProbeParams

    def of(self, budget: Literal["quick", "full"]) -> ProbeParams:
        """Return the probe of a budget."""
        return self.quick if budget == "quick" else self.full


def _each_once(names: list[str]) -> list[str]:
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"at least two models, each once (found {names})")
    return names


ModelNames = Annotated[list[Name], AfterValidator(_each_once)]


class GreedyParams(Strict):
    """Choose an ensemble's members, with how much each weighs, for its macro-F1 on the validation split.

    Attributes:
        rounds: In each of them a model is added, or added again.
        candidates: Of which models; None for all.
    """

    rounds: Annotated[PositiveInt, Field(le=100)]
    candidates: ModelNames | None = None


class EnsembleParams(Strict):
    """Soft voting: the mean of the probabilities of several models.

    Attributes:
        members: These, which all weigh alike.
        greedy: Those that are chosen on the validation split.
    """

    members: ModelNames | None = None
    greedy: GreedyParams | None = None

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> EnsembleParams:
        if (self.members is None) == (self.greedy is None):
            raise ValueError("either `members` or `greedy` says which models vote")
        return self

    def candidates(self) -> list[str] | None:
        """Return the models that may be in it; None for all."""
        return self.greedy.candidates if self.greedy else self.members
