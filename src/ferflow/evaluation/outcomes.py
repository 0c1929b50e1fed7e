"""What a model said and what is true, side by side: the one place where the two are joined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS

#: The splits that a model is measured on: `val` chooses, `test` reports.
EVALUATED_SPLITS: Final = ("val", "test")

#: The probability columns of a predictions table, in the order of `EMOTIONS`.
PROBABILITIES: Final = tuple(f"p_{emotion}" for emotion in EMOTIONS)

_COLUMNS: Final = ("split", "label", "predicted", *PROBABILITIES)
_SUM_TOLERANCE: Final = 1e-3  # float32 softmax stays within 1e-6; only what is no distribution exceeds this


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The samples of one split with truth and prediction, sorted by sample id.

    Args:
        sample_id: Shape `(N,)`, unique, ascending.
        actual: Shape `(N,)`, class numbers 0 to 6 from the samples table.
        predicted: Shape `(N,)`, class numbers 0 to 6.
        probabilities: Shape `(N, 7)`, float64, in [0, 1]; each row sums to 1.
    """

    sample_id: npt.NDArray[np.object_]
    actual: npt.NDArray[np.intp]
    predicted: npt.NDArray[np.intp]
    probabilities: npt.NDArray[np.float64]


def join(predictions: pd.DataFrame, labels: pd.DataFrame) -> dict[str, Outcomes]:
    """Return the outcomes of both evaluated splits, with the truth looked up by sample id.

    The order of either table's rows has no influence. Predictions that were written beside the
    wrong ids (a shuffled generator) disagree with the truth in `label`, and are refused.

    Args:
        predictions: `sample_id`, `split`, `label`, `predicted` and `PROBABILITIES`; one row for each
            sample of the val and test splits.
        labels: `sample_id`, `label`, `split`; one row for each sample of the data set.

    Raises:
        FerflowError: An id is missing, duplicated or unknown, a split or label disagrees with the
            truth, or a row holds no prediction (no distribution, or its largest is not `predicted`).
    """
    _require_columns("predictions", predictions, _COLUMNS)
    _require_columns("labels", labels, ["label", "split"])
    _refuse("labels", "occur more than once", labels.loc[labels["sample_id"].duplicated(), "sample_id"])
    _refuse("labels", "have no known emotion", labels.loc[~labels["label"].isin(EMOTIONS), "sample_id"])
    _check_ids(predictions["sample_id"], labels)

    truth = labels.set_index("sample_id")[["label", "split"]].add_prefix("true_")
    joined = predictions[["sample_id", *_COLUMNS]].join(truth, on="sample_id").sort_values("sample_id")
    _check_rows(joined)
    outcomes = {}
    for split in EVALUATED_SPLITS:
        rows = joined[joined["true_split"] == split]
        if rows.empty:
            raise FerflowError(f"the {split} split has no samples to evaluate: check the split stage.")
        probabilities = rows[list(PROBABILITIES)].to_numpy(dtype=np.float64)
        outcomes[split] = Outcomes(
            sample_id=rows["sample_id"].to_numpy(dtype=object),
            actual=_class_numbers(rows["true_label"]),
            predicted=_class_numbers(rows["predicted"]),
            probabilities=probabilities / probabilities.sum(axis=1, keepdims=True),
        )
    return outcomes


def _check_ids(predicted: pd.Series, labels: pd.DataFrame) -> None:
    expected = labels.loc[labels["split"].isin(EVALUATED_SPLITS), "sample_id"]
    _refuse("predictions", "occur more than once", predicted[predicted.duplicated()])
    _refuse("predictions", "are not in the samples table", predicted[~predicted.isin(labels["sample_id"])])
    _refuse("predictions", "are not in the val or test split", predicted[~predicted.isin(expected)])
    _refuse("predictions", "have no prediction", expected[~expected.isin(predicted)])


def _check_rows(joined: pd.DataFrame) -> None:
    ids = joined["sample_id"]
    for column in ("split", "label"):
        differs = (joined[column] != joined[f"true_{column}"]).fillna(True).to_numpy(dtype=bool)
        _refuse("predictions", f"have another {column} than in the samples table", ids[differs])
    unknown = ~joined["predicted"].isin(EMOTIONS)
    _refuse("predictions", "are predicted as something else than the seven emotions", ids[unknown])

    probabilities = joined[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    # Comparisons with NaN are false, so these two also find what is not a number.
    inside = (probabilities >= 0).all(axis=1)
    whole = np.abs(probabilities.sum(axis=1) - 1) <= _SUM_TOLERANCE
    _refuse("predictions", "have probabilities that are negative or do not sum to 1", ids[~(inside & whole)])
    chosen = probabilities[np.arange(len(joined)), _class_numbers(joined["predicted"])]
    below = chosen < probabilities.max(axis=1)
    _refuse("predictions", "are not predicted as their most probable emotion", ids[below])


def _require_columns(name: str, table: pd.DataFrame, columns: Iterable[str]) -> None:
    missing = [column for column in ("sample_id", *columns) if column not in table.columns]
    if missing:
        raise FerflowError(f"{name} table: missing column(s) {', '.join(missing)}; run `dvc repro` again.")


def _refuse(name: str, problem: str, ids: pd.Series) -> None:
    if len(ids):
        examples = ", ".join(sorted(map(str, ids))[:3])
        raise FerflowError(
            f"{name} table: {len(ids):,} sample id(s) {problem}, e.g. {examples}; "
            "delete it and run `dvc repro`."
        )


def _class_numbers(names: pd.Series) -> npt.NDArray[np.intp]:
    return np.asarray(pd.Categorical(names, categories=list(EMOTIONS)).codes, dtype=np.intp)
