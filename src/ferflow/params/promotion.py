"""The part of params.yaml about the registry: when a new model takes the champion's place."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from ferflow.params.base import Fraction, Strict

#: What a model may cost less of, and the name of it among a run's metrics.
COSTS: Final = {
    "flops": "cost/flops",
    "parameters": "cost/parameters",
    "milliseconds": "cost/milliseconds_per_image_at_batch_1",
}


class CheaperParams(Strict):
    """By how much a model must be cheaper to be let through with a score that is not shown to be lower.

    Attributes:
        times: The champion costs at least so many times as much.
        cost: What is compared; times are those of the machine that measured them.
    """

    times: Annotated[float, Field(gt=1)]
    cost: Literal["flops", "parameters", "milliseconds"]


class RuleParams(Strict):
    """One reason to promote a candidate, by its answers to the champion's validation samples.

    Attributes:
        minimum_improvement: Its macro-F1 is more than this higher.
        significant_improvement: The 95 % interval of that difference lies above this.
        not_worse_and_cheaper: The interval does not lie below 0, and the candidate is cheaper.
    """

    minimum_improvement: Fraction | None = None
    significant_improvement: Fraction | None = None
    not_worse_and_cheaper: CheaperParams | None = None

    @model_validator(mode="after")
    def _one_reason(self) -> RuleParams:
        if len(self.model_fields_set) != 1 or self.name() == "":
            raise ValueError(f"a rule is one of {', '.join(type(self).model_fields)}, each with its value")
        return self

    def name(self) -> str:
        """Return the key that it has in params.yaml."""
        return next((key for key, value in self if value is not None), "")

    def __str__(self) -> str:
        """Return the rule as params.yaml says it, in one line."""
        if cheaper := self.not_worse_and_cheaper:
            return f"{self.name()} {cheaper.times:g} times by {cheaper.cost}"
        return f"{self.name()} {getattr(self, self.name()):g}"


class PromotionParams(Strict):
    """When the best model of a leaderboard becomes the registered champion.

    Attributes:
        rules: Any one of them is enough.
        challenger: A candidate that loses is registered too, with an alias of its own.
    """

    rules: Annotated[list[RuleParams], Field(min_length=1)]
    challenger: bool
