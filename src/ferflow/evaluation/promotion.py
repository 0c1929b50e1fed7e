"""May a candidate take the champion's place? Decided by their answers to the same validation samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.evaluation.class_scores import class_scores
from ferflow.evaluation.rounding import DIGITS
from ferflow.evaluation.significance import Difference, pair_counts, paired_differences
from ferflow.labels import EMOTIONS
from ferflow.params.promotion import COSTS, RuleParams


@dataclass(frozen=True, eq=False)
class Contender:
    """What is known of a model that is compared.

    Attributes:
        answers: `sample_id`, `label`, `predicted`, one row for each validation sample, in any order.
        costs: What it costs, by the names of metrics (`"cost/flops"`); what is unknown is left out.
    """

    answers: pd.DataFrame
    costs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison has found.

    Attributes:
        rule: The first rule that lets the candidate through, as params.yaml says it; None if none does.
        candidate: The candidate's macro-F1 on validation.
        champion: The champion's, on the same samples.
        difference: Candidate minus champion, with its 95 % interval.
    """

    rule: str | None
    candidate: float
    champion: float
    difference: Difference


def same_samples(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Return whether two tables with `sample_id` and `label` are about the same samples and labels."""
    first, second = (
        table[["sample_id", "label"]].astype(str).sort_values("sample_id", ignore_index=True)
        for table in (a, b)
    )
    return first.equals(second)


def answers_in_common(today: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """Return the answers that were kept to those of today's samples that still show the same pixels.

    Args:
        today: `sample_id`, `sha256` of the pixels, and `label`, which may have changed since.
        kept: `sample_id`, `sha256` and `predicted`.

    Raises:
        KeyError: The answers that were kept have other columns.
        ValueError: They have a sample twice.
    """
    image = ["sample_id", "sha256"]
    return today[[*image, "label"]].merge(kept[[*image, "predicted"]], on=image, validate="one_to_one")


def decide(rules: Sequence[RuleParams], candidate: Contender, champion: Contender) -> Verdict:
    """Return whether any rule lets the candidate take the champion's place, and how far they are apart.

    A tie is no improvement. What is smaller than the digits that scores are written with is a tie: it would
    differ between processors.

    Args:
        rules: Any one of them is enough.
        candidate: The model that wants the place.
        champion: The model that has it.

    Raises:
        ValueError: Their answers are not about the same samples and labels, or about none.
    """
    if candidate.answers.empty or not same_samples(candidate.answers, champion.answers):
        raise ValueError("the answers are not about the same validation samples")
    ours = candidate.answers.sort_values("sample_id")
    theirs = champion.answers.sort_values("sample_id")
    counts = pair_counts(
        _classes(ours["label"]), _classes(ours["predicted"]), _classes(theirs["predicted"]), len(EMOTIONS)
    )
    difference = Difference(*(round(value, DIGITS) for value in paired_differences(counts)["macro_f1"]))
    met = (rule for rule in rules if _is_met(rule, difference, candidate.costs, champion.costs))
    return Verdict(
        rule=next(map(str, met), None),
        candidate=float(class_scores(counts.sum(axis=2)).f1.mean()),
        champion=float(class_scores(counts.sum(axis=1)).f1.mean()),
        difference=difference,
    )


def _is_met(
    rule: RuleParams, difference: Difference, candidate: Mapping[str, float], champion: Mapping[str, float]
) -> bool:
    if rule.minimum_improvement is not None:
        return difference.value > rule.minimum_improvement
    if rule.significant_improvement is not None:
        return difference.low > rule.significant_improvement
    cheaper = rule.not_worse_and_cheaper
    if cheaper is None or difference.high < 0:
        return False
    cost, before = candidate.get(COSTS[cheaper.cost]), champion.get(COSTS[cheaper.cost])
    # A cost that was not measured is no reason.
    return cost is not None and before is not None and cost * cheaper.times <= before


def _classes(names: pd.Series) -> npt.NDArray[np.intp]:
    return np.asarray(pd.Categorical(names, categories=list(EMOTIONS)).codes, dtype=np.intp)
