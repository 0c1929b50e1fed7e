from __future__ import annotations

import keras
import numpy as np
import pytest

from ferflow.params.optimization import ScheduleParams
from ferflow.training.schedules import learning_rate


def rates(params: ScheduleParams, steps: int, peak: float = 0.1) -> list[float]:
    schedule = learning_rate(params, peak, steps)
    return [float(schedule(step)) for step in range(steps + 1)]


def test_a_constant_schedule_is_a_number() -> None:
    assert learning_rate(ScheduleParams(name="constant"), 0.01, 100) == 0.01


def test_cosine_falls_from_the_rate_to_nothing() -> None:
    # 0.1 · (1 + cos(pi · step / 4)) / 2
    expected = [0.1, 0.0853553, 0.05, 0.0146447, 0.0]
    assert rates(ScheduleParams(name="cosine"), 4) == pytest.approx(expected, abs=1e-7)


def test_cosine_with_warm_up_rises_first_and_ends_at_its_share() -> None:
    found = rates(ScheduleParams(name="cosine", warmup=0.2, end=0.1), 10)
    # Two of ten steps rise from nothing; 0.055 is the middle between 0.1 and a tenth of it.
    assert found[:3] == pytest.approx([0.0, 0.05, 0.1])
    assert (found[6], found[10]) == pytest.approx((0.055, 0.01))
    assert found[2:] == sorted(found[2:], reverse=True)


def test_one_cycle_rises_over_three_tenths_from_a_twenty_fifth() -> None:
    found = rates(ScheduleParams(name="one_cycle"), 10)
    assert found[:4] == pytest.approx([0.004, 0.036, 0.068, 0.1])
    assert found[3:] == sorted(found[3:], reverse=True)
    assert found[10] == pytest.approx(0.0, abs=1e-7)


def test_one_cycle_takes_other_shares() -> None:
    found = rates(ScheduleParams(name="one_cycle", warmup=0.5, start=0.5, end=0.2), 4)
    assert found == pytest.approx([0.05, 0.075, 0.1, 0.06, 0.02])


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.3, 0.999999])
def test_a_phase_of_few_steps_has_a_schedule(steps: int, warmup: float) -> None:
    assert np.isfinite(rates(ScheduleParams(name="one_cycle", warmup=warmup), steps)).all()


def test_the_rate_is_a_function_of_the_optimizers_step() -> None:
    params = ScheduleParams(name="one_cycle")
    optimizer = keras.optimizers.SGD(learning_rate(params, 0.1, 10))
    expected = rates(params, 10)
    for step in (0, 2, 7):
        optimizer.iterations.assign(step)  # as a checkpoint does
        assert float(optimizer.learning_rate) == pytest.approx(expected[step])
