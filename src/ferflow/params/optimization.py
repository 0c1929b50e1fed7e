"""The parts of a recipe about optimisation: optimizer, schedule and loss."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ferflow.params.base import Fraction, NonNegativeFloat, PositiveFloat, Strict


def _bare_name(value: Any) -> Any:
    """Let a bare name stand for what it names, with its defaults."""
    return {"name": value} if isinstance(value, str) else value


def _refuse_options(name: str, found: Strict, belongs: dict[str, tuple[str, ...]]) -> None:
    """Raise for an option that stands in the file but says nothing about the `name` that was chosen."""
    for option, names in belongs.items():
        if option in found.model_fields_set and name not in names:
            raise ValueError(f"`{option}` says nothing about '{name}'; it belongs to {' and '.join(names)}")


class OptimizerParams(Strict):
    """An optimizer of Keras; a bare name stands for one with its defaults.

    Attributes:
        name: Muon trains the kernels of convolutions and dense layers, AdamW everything else.
        momentum: None for Keras's default: 0 for sgd and rmsprop, 0.95 for muon.
        nesterov: Look ahead along the momentum; None for Keras's default: not in sgd, in muon.
        weight_decay: Decoupled from the gradient and multiplied by the learning rate, of kernels only:
            biases and the scales and offsets of normalisations are left alone. None for Keras's
            default: 0.004 for adamw and muon, 0 for the others.
        clip_norm: The gradient of all weights together is shortened to this norm; None never does.
    """

    name: Literal["adam", "adamw", "sgd", "rmsprop", "muon"]
    momentum: Fraction | None = None
    nesterov: bool | None = None
    weight_decay: NonNegativeFloat | None = None
    clip_norm: PositiveFloat | None = None

    @model_validator(mode="after")
    def _options_fit(self) -> OptimizerParams:
        belongs = {"momentum": ("sgd", "rmsprop", "muon"), "nesterov": ("sgd", "muon")}
        _refuse_options(self.name, self, belongs)
        if self.name == "sgd" and self.nesterov and not self.momentum:
            raise ValueError("`nesterov` needs `momentum`: without one it changes nothing")
        return self


class ScheduleParams(Strict):
    """How the learning rate moves over the steps of a phase; a bare name stands for one with its defaults.

    The rate rises linearly from `start` to the phase's learning rate and falls along half a cosine to
    `end`. one_cycle is the same curve as cosine with the defaults of Smith's policy.

    Attributes:
        name: constant leaves the rate alone (but for `reduce_lr_on_plateau`).
        warmup: Share of the phase's steps that rise: 0 by default for cosine, 0.3 for one_cycle.
        start: Share of the phase's rate at the first step: 0 by default for cosine, 0.04 for one_cycle.
        end: Share of the phase's rate after the last step.
    """

    name: Literal["constant", "cosine", "one_cycle"]
    warmup: Fraction | None = None
    start: Fraction | None = None
    end: Fraction = 0.0

    @model_validator(mode="after")
    def _options_fit(self) -> ScheduleParams:
        moving = ("cosine", "one_cycle")
        _refuse_options(self.name, self, dict.fromkeys(("warmup", "start", "end"), moving))
        rises = self.warmup if self.warmup is not None else self.name == "one_cycle"
        if self.start is not None and not rises:
            raise ValueError("`start` says nothing without `warmup`: nothing rises")
        return self


class LossParams(Strict):
    """What is minimised; a bare name stands for one with its defaults.

    Attributes:
        name: crossentropy, or focal: what is already right weighs less.
        gamma: How much less; None for 2, as in its paper. 0 would be the cross-entropy.
        label_smoothing: Share of a label that is spread evenly over all classes.
    """

    name: Literal["crossentropy", "focal"] = "crossentropy"
    gamma: Annotated[float, Field(gt=0, le=10)] | None = None
    label_smoothing: Fraction = 0.0

    @model_validator(mode="after")
    def _options_fit(self) -> LossParams:
        _refuse_options(self.name, self, {"gamma": ("focal",)})
        return self


AnyOptimizer = Annotated[OptimizerParams, BeforeValidator(_bare_name)]
AnySchedule = Annotated[ScheduleParams, BeforeValidator(_bare_name)]
AnyLoss = Annotated[LossParams, BeforeValidator(_bare_name)]
