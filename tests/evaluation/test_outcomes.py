from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import EVALUATED_SPLITS, join
from ferflow.labels import EMOTIONS

from .invented import labels_table, predictions_table

Change = Callable[[pd.DataFrame], pd.DataFrame]


def test_truth_is_looked_up_by_id_in_any_order_of_rows() -> None:
    labels = labels_table()
    predictions = predictions_table(labels)
    plain = join(predictions, labels)
    shuffled = join(predictions.sample(frac=1, random_state=1), labels.sample(frac=1, random_state=2))
    truth = dict(zip(labels["sample_id"], labels["label"], strict=True))
    for split in EVALUATED_SPLITS:
        expected = [EMOTIONS.index(truth[sample_id]) for sample_id in plain[split].sample_id]
        np.testing.assert_array_equal(plain[split].actual, expected)
        for field in ("sample_id", "actual", "predicted", "probabilities"):
            np.testing.assert_array_equal(getattr(plain[split], field), getattr(shuffled[split], field))


def test_samples_of_each_split_are_those_of_the_labels_table() -> None:
    labels = labels_table()
    outcomes = join(predictions_table(labels), labels)
    for split in EVALUATED_SPLITS:
        assert list(outcomes[split].sample_id) == sorted(labels.loc[labels["split"] == split, "sample_id"])
        np.testing.assert_allclose(outcomes[split].probabilities.sum(axis=1), 1, rtol=1e-14)


def test_predictions_written_beside_the_ids_in_a_generators_order_are_refused() -> None:
    labels = labels_table()
    predictions = predictions_table(labels)
    order = np.random.default_rng(5).permutation(len(predictions))
    what_the_model_saw = predictions.drop(columns=["sample_id", "split"]).iloc[order].reset_index(drop=True)
    mistaken = pd.concat([predictions[["sample_id", "split"]], what_the_model_saw], axis=1)
    with pytest.raises(FerflowError, match="have another label than in the samples table"):
        join(mistaken, labels)


def set_cells(column: str, value: object, rows: int) -> Change:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        cells = pd.Series([value] * rows + table[column].iloc[rows:].tolist(), index=table.index)
        return table.assign(**{column: cells})

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda table: table.iloc[4:],
            r"4 sample id\(s\) have no prediction, e\.g\. \w{16}, \w{16}, \w{16};",
        ),
        (lambda table: pd.concat([table, table.head(2)]), r"2 sample id\(s\) occur more than once"),
        (
            lambda table: table.assign(sample_id="x" + table["sample_id"]),
            "are not in the samples table, e.g. x",
        ),
        (set_cells("sample_id", None, 1), r"1 sample id\(s\) are not in the samples table"),
        (
            lambda table: table.assign(split=table["split"].map({"val": "test", "test": "val"})),
            "another split",
        ),
        (set_cells("split", None, 2), r"2 sample id\(s\) have another split"),
        (set_cells("label", None, 3), r"3 sample id\(s\) have another label"),
        (set_cells("predicted", "calm", 1), "something else than the seven emotions"),
        (lambda table: table.assign(p_happy=np.nan), "probabilities that are negative or do not sum to 1"),
        (
            lambda table: table.assign(p_happy=table["p_happy"] + 0.1),
            "probabilities that are negative or do not sum to 1",
        ),
        (
            lambda table: table.assign(p_sad=table["p_sad"] - 2, p_fear=table["p_fear"] + 2),
            "probabilities that are negative or do not sum to 1",
        ),
        (
            lambda table: table.assign(p_sad=table["p_happy"], p_happy=table["p_sad"]),
            "not predicted as their most probable emotion",
        ),
        (lambda table: table.drop(columns="p_fear"), r"missing column\(s\) p_fear"),
    ],
)
def test_defective_predictions_are_refused_with_count_and_examples(change: Change, message: str) -> None:
    labels = labels_table()
    with pytest.raises(FerflowError, match=message):
        join(change(predictions_table(labels)), labels)


def test_prediction_of_a_training_sample_is_refused() -> None:
    labels = labels_table()
    predictions = predictions_table(labels.assign(split=labels["split"].replace("train", "val")))
    with pytest.raises(FerflowError, match=r"sample id\(s\) are not in the val or test split"):
        join(predictions, labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda table: pd.concat([table, table.head(1)]),
            r"labels table: 1 sample id\(s\) occur more than once",
        ),
        (set_cells("label", "contempt", 2), r"labels table: 2 sample id\(s\) have no known emotion"),
        (lambda table: table.drop(columns="split"), r"labels table: missing column\(s\) split"),
    ],
)
def test_defective_labels_are_refused(change: Change, message: str) -> None:
    labels = labels_table()
    with pytest.raises(FerflowError, match=message):
        join(predictions_table(labels), change(labels))


def test_a_split_without_samples_is_refused() -> None:
    labels = labels_table()
    labels = labels[labels["split"] != "val"]
    with pytest.raises(FerflowError, match="the val split has no samples"):
        join(predictions_table(labels), labels)
