"""How good a model's answers to damaged images are: the content of robustness.csv."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.class_scores import class_scores
from ferflow.evaluation.outcomes import PROBABILITIES
from ferflow.evaluation.rounding import DIGITS
from ferflow.labels import EMOTIONS, label_index


def score_answers(answers: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Return a model's scores on clean and damaged images, a row for each corruption and severity.

    The truth is looked up by sample id. The order of the rows of a corruption and severity has no influence.

    Args:
        answers: `corruption`, `severity`, `sample_id` and `p_<emotion>` for each emotion, as `probe` returns
            them.
        labels: `sample_id`, `label`, `split`; one row for each sample of the data set.

    Returns:
        `corruption`, `severity`, `samples`, `accuracy`, `macro_f1`, in the order in which they were asked.

    Raises:
        FerflowError: A column is missing, or a sample is not of the test split.
    """
    missing = [
        column
        for column in ("corruption", "severity", "sample_id", *PROBABILITIES)
        if column not in answers.columns
    ]
    if missing:
        raise FerflowError(
            f"answers to damaged images: missing column(s) {', '.join(missing)}; run `dvc repro`."
        )
    truth = labels.loc[labels["split"] == "test"].set_index("sample_id")["label"]
    unknown = ~answers["sample_id"].isin(truth.index)
    if unknown.any():
        example = answers.loc[unknown, "sample_id"].iloc[0]
        raise FerflowError(
            f"answers to damaged images: {unknown.sum():,} are of samples that are not in the test split, "
            f"e.g. {example}; delete them and run `dvc repro`."
        )
    actual = answers["sample_id"].map(truth).map(label_index).to_numpy(np.intp)
    predicted = answers[list(PROBABILITIES)].to_numpy().argmax(axis=1)
    rows = []
    asked = answers.reset_index(drop=True).groupby(["corruption", "severity"], sort=False)
    for (corruption, severity), of_condition in asked:
        places = of_condition.index
        rows.append((corruption, severity, len(places), *_scores(actual[places], predicted[places])))
    return pd.DataFrame(rows, columns=["corruption", "severity", "samples", "accuracy", "macro_f1"])


def _scores(actual: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp]) -> tuple[float, float]:
    """Return accuracy and macro-F1, as in metrics.json."""
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), dtype=np.int64)
    np.add.at(counts, (actual, predicted), 1)
    accuracy, macro_f1 = np.trace(counts) / counts.sum(), class_scores(counts).f1.mean()
    return round(float(accuracy), DIGITS), round(float(macro_f1), DIGITS)
