from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ferflow.errors import FerflowError
from ferflow.evaluation.agreement import check_agreement
from ferflow.evaluation.outcomes import join

from .invented import history_table, labels_table, outcomes_with, predictions_table, shuffled_answers

LABELS = labels_table(900)
GOOD = predictions_table(LABELS, skill=3)
HISTORY = history_table(("all", 6, 1e-3))


def check(predictions: pd.DataFrame, history: pd.DataFrame) -> None:
    check_agreement(join(predictions, LABELS)["val"], history)


@pytest.mark.parametrize("seed", range(5))
def test_answers_in_the_order_of_a_shuffled_generator_are_refused(seed: int) -> None:
    check(GOOD, HISTORY)
    with pytest.raises(FerflowError, match=r"1\d\.\d% are right, which is chance, .* measured 61\.7%"):
        check(shuffled_answers(GOOD, seed), HISTORY)


def test_a_model_that_learned_nothing_is_no_mistake() -> None:
    for accuracy in (0.14, 0.2, np.nan):
        check(shuffled_answers(GOOD, 0), HISTORY.assign(val_accuracy=accuracy))


def test_a_model_that_is_worse_than_in_its_training_is_no_mistake() -> None:
    check(predictions_table(LABELS, skill=1), HISTORY)


@pytest.mark.parametrize("samples", [1, 2, 4])
def test_a_few_samples_prove_nothing(samples: int) -> None:
    wrong = outcomes_with(actual=[0] * samples, probabilities=np.eye(7)[[1] * samples])
    check_agreement(wrong, HISTORY)
