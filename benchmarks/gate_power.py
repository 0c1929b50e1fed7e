"""How often the gate cries wolf, and what it catches: `python benchmarks/gate_power.py`.

Two trainings of one recipe give networks of equal skill that disagree about a part of the images. Here they
are drawn: the scores of the seven emotions are the truth, what is hard about the sample (the same for all
trainings), and what is a training's own. Some 68 % are right, and two trainings agree about 80 %, as
networks on FER-2013 do.

False alarms: so many models are trained again, all equally good; how often is anything refused? Power:
three models are trained again, of which the first is worse by so many points of accuracy; how often is that
refused?
"""

from __future__ import annotations

import argparse
from typing import Final

import numpy as np
import numpy.typing as npt

from ferflow.evaluation.outcomes import Outcomes
from ferflow.gate.comparison import compare_models
from ferflow.gate.differences import Pair
from ferflow.params import load_params
from ferflow.params.gate import GateParams

#: Shares of the emotions in FER-2013's test split.
SHARES: Final = (0.137, 0.015, 0.147, 0.245, 0.166, 0.116, 0.174)
_SKILL: Final = 1.9
_HARD: Final = 1.0
_OWN: Final = 0.34
#: How much less skill is one point less of accuracy.
_SKILL_OF_A_POINT: Final = 0.036
#: Test samples, and by how many points of accuracy a model becomes worse.
_CASES: Final = {280: (3, 5, 8, 12), 3589: (1, 2, 3)}

Rows = npt.NDArray[np.float64]


def samples(number: int, generator: np.random.Generator) -> tuple[npt.NDArray[np.intp], Rows]:
    """Return the classes of so many samples, and what is hard about each."""
    shares = np.array(SHARES) / sum(SHARES)
    return generator.choice(7, size=number, p=shares), _HARD * generator.normal(size=(number, 7))


def training(
    actual: npt.NDArray[np.intp], hard: Rows, generator: np.random.Generator, skill: float = _SKILL
) -> Outcomes:
    """Return the answers of one training."""
    scores = skill * np.eye(7)[actual] + hard + _OWN * generator.normal(size=hard.shape)
    # Sharpened, so that confidence is about right.
    exponents = np.exp(1.7 * (scores - scores.max(axis=1, keepdims=True)))
    probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    ids = np.array([f"{number:016x}" for number in range(len(actual))], dtype=object)
    return Outcomes(ids, actual, probabilities.argmax(axis=1), probabilities)


def false_alarms(size: int, models: int, limits: GateParams, times: int, seed: int) -> float:
    """Return how often anything is refused of `models` that were trained again, equally good."""
    return sum(_refused(size, models, 0.0, limits, seed + time) for time in range(times)) / times


def power(size: int, points: float, limits: GateParams, times: int, seed: int) -> float:
    """Return how often a model that is worse by so many points is refused, of three that changed."""
    return sum(_refused(size, 3, points, limits, seed + time) for time in range(times)) / times


def _refused(size: int, models: int, points: float, limits: GateParams, seed: int) -> bool:
    generator = np.random.default_rng(seed)
    actual, hard = samples(size, generator)
    pairs = {}
    for number in range(models):
        skill = _SKILL - _SKILL_OF_A_POINT * (points if number == 0 else 0.0)
        pairs[f"m{number}"] = Pair(
            training(actual, hard, generator), training(actual, hard, generator, skill)
        )
    best = ("m0", "m0", pairs["m0"])
    compared = compare_models(pairs, best, limits)
    assert compared.best is not None  # noqa: S101 - there is a pair of the best
    judged = [*compared.models, compared.best]
    return any(change.regressed for comparison in judged for change in comparison.changes)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200, help="simulated pull requests for each number")
    parser.add_argument("--seed", type=int, default=2013)
    arguments = parser.parse_args()
    limits = load_params().gate
    for size, drops in _CASES.items():
        for models in (1, 12):
            share = false_alarms(size, models, limits, arguments.times, arguments.seed)
            print(f"{size:5,} samples, {models:2} models as good as before: {share:6.1%} refused", flush=True)
        for points in drops:
            share = power(size, points, limits, arguments.times, arguments.seed)
            print(f"{size:5,} samples, one of 3 worse by {points} points: {share:6.1%} refused", flush=True)


if __name__ == "__main__":
    main()
