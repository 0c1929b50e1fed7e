"""The learning rate over the steps of a phase."""

from __future__ import annotations

from typing import Any, Final

import keras

from ferflow.params.optimization import ScheduleParams

#: Share of the steps that rise, and of the rate at the first step, where the params give none. Those of
#: one_cycle are PyTorch's, after Smith and Topin, "Super-Convergence" (2019).
_DEFAULTS: Final = {"cosine": (0.0, 0.0), "one_cycle": (0.3, 0.04)}


def learning_rate(params: ScheduleParams, peak: float, steps: int) -> Any:
    """Return what an optimizer of Keras takes as its learning rate: a number or a function of the step.

    The function's only argument is the optimizer's own count of steps, which is saved with it: a training
    that is resumed at a step goes on with the rate of that step.

    Args:
        params: The schedule.
        peak: The greatest rate, reached after the rise.
        steps: Of the whole phase.
    """
    if params.name == "constant":
        return peak
    warmup, start = _DEFAULTS[params.name]
    warmup = params.warmup if params.warmup is not None else warmup
    start = params.start if params.start is not None else start
    rising = int(warmup * steps)
    if rising == 0:
        return keras.optimizers.schedules.CosineDecay(peak, steps, alpha=params.end)
    return keras.optimizers.schedules.CosineDecay(
        start * peak, steps - rising, alpha=params.end, warmup_target=peak, warmup_steps=rising
    )
