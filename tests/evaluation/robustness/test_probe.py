from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import PROBABILITIES
from ferflow.evaluation.robustness import scores
from ferflow.evaluation.robustness.answers import score_answers
from ferflow.evaluation.robustness.corruptions import CORRUPTIONS, Images, corrupt
from ferflow.evaluation.robustness.probe import choose_samples, probe
from ferflow.files import write_csv
from ferflow.labels import EMOTIONS

from .tables import pictures


def labelled(test_sizes: tuple[int, ...] = (43, 5, 41, 70, 48, 33, 49), others: int = 30) -> pd.DataFrame:
    classes = np.repeat(np.arange(7), test_sizes)
    total = len(classes) + others
    generator = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "row": np.arange(total),
            "sample_id": [f"{number:016x}" for number in generator.permutation(total)],
            "class_index": np.concatenate([classes, generator.integers(0, 7, others)]),
            "split": ["test"] * len(classes) + ["train", "val"] * (others // 2),
        }
    ).sample(frac=1, random_state=1)


def predict(images: Images) -> npt.NDArray[np.float64]:
    """A model that classifies by how bright the middle is, and never doubts."""
    grays = images[:, 20:28, 20:28].mean(axis=(1, 2, 3)) - 70
    return np.asarray(np.eye(7)[np.clip(grays // 20, 0, 6).astype(int)], dtype=np.float64)


@pytest.fixture
def images() -> Images:
    return pictures(40)


@pytest.fixture
def samples(images: Images) -> pd.DataFrame:
    actual = predict(images).argmax(axis=1)
    actual[::5] = (actual[::5] + 1) % 7
    ids = [f"{number:016x}" for number in np.random.default_rng(0).permutation(40)]
    return pd.DataFrame({"row": np.arange(40), "sample_id": ids, "class_index": actual})


def test_a_choice_is_stratified_and_of_the_test_split_alone() -> None:
    table = labelled()
    chosen = choose_samples(table, 58)
    assert len(chosen) == 58
    assert set(chosen["split"]) == {"test"}
    sizes = table.loc[table["split"] == "test", "class_index"].value_counts()
    share = sizes * 58 / sizes.sum()
    assert (chosen["class_index"].value_counts() - share).abs().max() < 1


def test_a_choice_is_the_same_in_any_order_and_grows_with_its_size() -> None:
    table = labelled()
    chosen = choose_samples(table, 58)
    pd.testing.assert_frame_equal(choose_samples(table.sample(frac=1, random_state=5), 58), chosen)
    assert chosen["sample_id"].is_monotonic_increasing
    larger = choose_samples(table, 116)
    assert set(chosen["sample_id"]) <= set(larger["sample_id"])


def test_a_choice_does_not_depend_on_what_other_splits_hold() -> None:
    table = labelled()
    alone = table[table["split"] == "test"]
    assert list(choose_samples(alone, 40)["sample_id"]) == list(choose_samples(table, 40)["sample_id"])


@pytest.mark.parametrize("count", [7, 20])
def test_every_label_keeps_at_least_one_sample(count: int) -> None:
    chosen = choose_samples(labelled((400, 1, 400, 900, 400, 1, 400)), count)
    assert set(chosen["class_index"]) == set(range(7))
    assert count <= len(chosen) <= count + 2


def test_a_label_without_test_images_is_no_obstacle() -> None:
    chosen = choose_samples(labelled((20, 0, 20, 20, 20, 20, 20)), 30)
    assert dict(chosen["class_index"].value_counts()) == dict.fromkeys([0, 2, 3, 4, 5, 6], 5)


def test_all_are_chosen_where_there_are_fewer() -> None:
    assert len(choose_samples(labelled(), 10_000)) == 289


def test_an_empty_test_split_is_named() -> None:
    table = labelled()
    with pytest.raises(FerflowError, match="test split has no samples"):
        choose_samples(table[table["split"] != "test"], 20)


def labels_of(samples: pd.DataFrame) -> pd.DataFrame:
    names = [EMOTIONS[place] for place in samples["class_index"]]
    return samples.assign(label=names, split="test")


def test_scores_are_those_of_the_damaged_images(images: Images, samples: pd.DataFrame) -> None:
    table = score_answers(probe(predict, images, samples, severities=[2, 5]), labels_of(samples))
    assert len(table) == 1 + 2 * len(CORRUPTIONS)
    first = table.iloc[0]
    assert (first.corruption, first.severity, first.samples, first.accuracy) == ("none", 0, 40, 0.8)
    assert list(dict.fromkeys(table["corruption"])) == ["none", *CORRUPTIONS]

    actual, labels = samples["class_index"], list(range(len(EMOTIONS)))
    seen = set()
    for row in table.iloc[1:].itertuples():
        answers = predict(corrupt(images, str(row.corruption), int(str(row.severity)))).argmax(axis=1)
        assert row.accuracy == pytest.approx(accuracy_score(actual, answers), abs=1e-6)
        expected = f1_score(actual, answers, labels=labels, average="macro", zero_division=0)
        assert row.macro_f1 == pytest.approx(expected, abs=1e-6)
        seen.add((row.accuracy, row.macro_f1))
    assert len(seen) > 8, "damages that change nothing test nothing"


def test_an_answer_is_of_the_image_whose_id_stands_beside_it(images: Images, samples: pd.DataFrame) -> None:
    answers = probe(predict, images, samples.sample(frac=1, random_state=2), severities=[4], batch_size=7)
    assert len(answers) == 40 * (1 + len(CORRUPTIONS))
    blurred = answers[(answers["corruption"] == "blur") & (answers["severity"] == 4)]
    rows = samples.set_index("sample_id").loc[blurred["sample_id"], "row"]
    expected = predict(corrupt(images[rows], "blur", 4))
    np.testing.assert_array_equal(blurred[list(PROBABILITIES)], expected)
    assert blurred["p_angry"].dtype == np.float32


def test_answers_depend_on_neither_order_nor_batches(images: Images, samples: pd.DataFrame) -> None:
    table = probe(predict, images, samples, severities=[1, 3])
    shuffled = samples.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(probe(predict, images, shuffled, severities=[3, 1], batch_size=7), table)


def test_no_more_than_a_batch_is_held(images: Images, samples: pd.DataFrame) -> None:
    asked = []

    def recording(batch: Images) -> npt.NDArray[np.float64]:
        asked.append(len(batch))
        return predict(batch)

    probe(recording, images, samples, severities=[1], batch_size=16)
    assert asked == [16, 16, 8] * (1 + len(CORRUPTIONS))


def test_a_table_survives_being_written_and_read(
    images: Images, samples: pd.DataFrame, tmp_path: Path
) -> None:
    table = score_answers(probe(predict, images, samples, severities=[1, 5]), labels_of(samples))
    write_csv(tmp_path / "robustness.csv", table)
    pd.testing.assert_frame_equal(scores.read(tmp_path / "robustness.csv"), table)


def test_answers_that_are_not_numbers_are_named(images: Images, samples: pd.DataFrame) -> None:
    def broken(batch: Images) -> npt.NDArray[Any]:
        answers = predict(batch)
        answers[0, 0] = np.nan if (batch == 0).mean() > 0.05 else answers[0, 0]
        return answers

    with pytest.raises(FerflowError, match=r"\(eyes_covered 5\) are not numbers"):
        probe(broken, images, samples, severities=[5])


def test_answers_of_another_shape_are_refused(images: Images, samples: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"expected \(40, 7\), got \(40, 6\)"):
        probe(lambda batch: predict(batch)[:, :6], images, samples, severities=[5])


def test_scores_are_looked_up_by_id_in_any_order(images: Images, samples: pd.DataFrame) -> None:
    answers = probe(predict, images, samples, severities=[1, 3])
    labels = labels_of(samples)
    table = score_answers(answers, labels)
    shuffled = answers.groupby(["corruption", "severity"], sort=False).sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(score_answers(shuffled, labels.iloc[::-1]), table)
    # Of other truths the same answers are wrong.
    relabelled = labels.assign(label=np.roll(EMOTIONS, 1)[labels["class_index"]])
    assert score_answers(answers, relabelled)["accuracy"].iloc[0] < 0.3 < table["accuracy"].iloc[0]


def test_answers_of_unknown_samples_are_refused(images: Images, samples: pd.DataFrame) -> None:
    answers = probe(predict, images, samples, severities=[1])
    labels = labels_of(samples)
    for split in ("train", "val"):
        others = labels.copy()
        others.loc[others["sample_id"] == answers["sample_id"].iloc[3], "split"] = split
        with pytest.raises(FerflowError, match=rf"11 are of samples that .* {answers['sample_id'].iloc[3]}"):
            score_answers(answers, others)
    with pytest.raises(FerflowError, match=r"missing column\(s\) severity, p_fear"):
        score_answers(answers.drop(columns=["severity", "p_fear"]), labels)
