from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ferflow.data.arrays import open_images
from ferflow.params import AugmentParams
from ferflow.training.augment import make_augmentation
from ferflow.training.mixing import make_mixing
from ferflow.training.pipeline import (
    LabelledRows,
    select,
    steps_per_epoch,
    training_batches,
    validation_batches,
)

Batches = list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]]

# Row i is filled with i, so that an image tells which row it is; rows 100 to 122 are trained on.
IMAGES = np.broadcast_to(np.arange(150, dtype=np.uint8).reshape(150, 1, 1, 1), (150, 4, 4, 1)).copy()
ROWS = np.random.default_rng(0).permutation(np.arange(100, 123))
SPLIT = LabelledRows(ROWS, ((ROWS * 3) % 7).astype("int32"))
PHOTOGRAPHS = np.random.default_rng(1).integers(0, 256, (150, 12, 12, 1), dtype=np.uint8)


def first(dataset: Any, count: int) -> Batches:
    return list(itertools.islice(dataset.as_numpy_iterator(), count))


def rows_of(batches: Batches) -> list[int]:
    return [int(image[0, 0, 0]) for images, _ in batches for image in images]


def assert_equal(ours: Batches, theirs: Batches) -> None:
    for (images, labels), (other_images, other_labels) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(labels, other_labels)


@pytest.mark.parametrize(("size", "batch_size", "steps"), [(23, 5, 5), (20, 5, 4), (12, 5, 3), (23, 64, 1)])
def test_steps_of_an_epoch(size: int, batch_size: int, steps: int) -> None:
    assert steps_per_epoch(size, batch_size) == steps


def test_a_split_is_in_the_order_of_its_samples_whatever_that_of_the_rows() -> None:
    labelled = pd.DataFrame(
        {
            "sample_id": ["c", "a", "d", "b"],
            "row": [0, 1, 2, 3],
            "split": ["train", "train", "val", "train"],
            "class_index": [6, 5, 4, 3],
        }
    )
    chosen = select(labelled, "train")
    np.testing.assert_array_equal(chosen.rows, [1, 3, 0])
    np.testing.assert_array_equal(chosen.labels, [5, 3, 6])
    assert chosen.rows.dtype == np.int64 and chosen.labels.dtype == np.int32


def test_every_epoch_visits_every_sample_once() -> None:
    batches = first(training_batches(IMAGES, SPLIT, batch_size=5, seed=1), 15)
    epochs = [rows_of(batches[start : start + 5]) for start in (0, 5, 10)]
    assert all(sorted(epoch) == list(range(100, 123)) for epoch in epochs)
    memberships = {tuple(sorted(rows_of(batches[start : start + 1]))) for start in (0, 5, 10)}
    assert len(memberships) == 3, "epochs have the same batches"


def test_the_last_batch_of_an_epoch_is_the_rest() -> None:
    batches = first(training_batches(IMAGES, SPLIT, batch_size=5, seed=1), 10)
    assert [len(labels) for _, labels in batches] == [5, 5, 5, 5, 3] * 2
    for images, labels in batches:
        assert images.dtype == np.uint8 and images.shape[1:] == (4, 4, 1)
        assert labels.dtype == np.int32


def test_a_batch_is_read_forwards() -> None:
    forwards = LabelledRows(np.sort(ROWS), SPLIT.labels)
    batches = first(training_batches(IMAGES, forwards, batch_size=5, seed=1), 5)
    for batch in batches:
        assert rows_of([batch]) == sorted(rows_of([batch]))
    assert rows_of(batches) != sorted(rows_of(batches)), "the epoch is in the order of the split"


def test_labels_belong_to_their_images() -> None:
    for images, labels in first(training_batches(IMAGES, SPLIT, batch_size=5, seed=1), 10):
        np.testing.assert_array_equal(labels, images[:, 0, 0, 0].astype(int) * 3 % 7)


def test_labels_belong_to_their_images_after_augmentation() -> None:
    flip = make_augmentation(AugmentParams(rotation=30.0, shift=0.2, horizontal_flip=True), 1)
    # An image of one gray level survives any geometric change.
    for images, labels in first(training_batches(IMAGES, SPLIT, batch_size=5, seed=1, augment=flip), 5):
        np.testing.assert_array_equal(labels, images[:, 0, 0, 0].astype(int) * 3 % 7)


@pytest.mark.parametrize(("samples_per_epoch", "balanced"), [(None, False), (12, False), (12, True)])
@pytest.mark.parametrize("first_epoch", [1, 3])
def test_a_stream_from_a_later_epoch_is_the_tail_of_the_whole(
    first_epoch: int, samples_per_epoch: int | None, balanced: bool
) -> None:
    def stream(start: int) -> Any:
        return training_batches(
            PHOTOGRAPHS,
            SPLIT,
            batch_size=5,
            seed=1,
            samples_per_epoch=samples_per_epoch,
            balanced=balanced,
            augment=make_augmentation(AugmentParams(rotation=20.0, noise=0.1, horizontal_flip=True), 1),
            mix=make_mixing(AugmentParams(mixup=0.5), 7, 1) if balanced else None,
            first_epoch=start,
        )

    steps = steps_per_epoch(samples_per_epoch or len(ROWS), 5)
    skipped = first_epoch * steps
    whole = first(stream(0), skipped + 7)
    assert_equal(first(stream(first_epoch), 7), whole[skipped:])
    assert not np.array_equal(whole[0][0], whole[skipped][0])


def test_augmentation_changes_between_epochs() -> None:
    one = LabelledRows(ROWS[:1], SPLIT.labels[:1])
    augment = make_augmentation(AugmentParams(rotation=20.0), 1)
    batches = first(training_batches(PHOTOGRAPHS, one, batch_size=1, seed=1, augment=augment), 3)
    assert len({images.tobytes() for images, _ in batches}) == 3


def test_an_epoch_may_be_a_random_part_of_the_split() -> None:
    batches = first(training_batches(IMAGES, SPLIT, batch_size=5, seed=1, samples_per_epoch=12), 6)
    assert [len(labels) for _, labels in batches] == [5, 5, 2] * 2
    epochs = [rows_of(batches[:3]), rows_of(batches[3:])]
    assert all(len(set(epoch)) == 12 for epoch in epochs)
    assert set(epochs[0]) != set(epochs[1])


def test_an_epoch_may_draw_every_class_equally_often() -> None:
    common = LabelledRows(ROWS, np.where(ROWS < 103, 2, 5).astype("int32"))
    batches = first(training_batches(IMAGES, common, batch_size=5, seed=1, balanced=True), 5)
    labels = np.concatenate([labels for _, labels in batches])
    assert sorted(np.bincount(labels)[[2, 5]]) == [11, 12]
    np.testing.assert_array_equal(labels, np.where(np.array(rows_of(batches)) < 103, 2, 5))


def test_mixed_batches_have_labels_that_are_shares() -> None:
    mix = make_mixing(AugmentParams(mixup=1.0), 7, 1)
    for images, labels in first(training_batches(IMAGES, SPLIT, batch_size=5, seed=1, mix=mix), 5):
        assert labels.dtype == np.float32 and labels.shape == (len(images), 7)
        np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-6)


def test_the_seed_decides_the_order() -> None:
    streams = [first(training_batches(IMAGES, SPLIT, batch_size=5, seed=seed), 5) for seed in (1, 1, 2)]
    assert rows_of(streams[0]) == rows_of(streams[1]) != rows_of(streams[2])


def test_a_memory_map_gives_the_same_batches(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = open_images(tmp_path / "images.npy")
    assert_equal(
        first(training_batches(mapped, SPLIT, batch_size=5, seed=1), 5),
        first(training_batches(IMAGES, SPLIT, batch_size=5, seed=1), 5),
    )


@pytest.mark.parametrize(("batch_size", "sizes"), [(10, [10, 10, 3]), (23, [23]), (100, [23])])
def test_validation_is_one_pass_in_the_order_of_the_split(batch_size: int, sizes: list[int]) -> None:
    dataset = validation_batches(IMAGES, SPLIT, batch_size=batch_size)
    assert int(dataset.cardinality()) == len(sizes)
    for _ in range(2):  # it is used after every epoch
        batches = list(dataset.as_numpy_iterator())
        assert [len(labels) for _, labels in batches] == sizes
        assert rows_of(batches) == ROWS.tolist()
        assert np.concatenate([labels for _, labels in batches]).tolist() == SPLIT.labels.tolist()


def test_select_gives_the_rows_and_classes_of_one_split() -> None:
    labelled = pd.DataFrame(
        {
            "row": [4, 0, 2, 9],
            "sample_id": list("abcd"),
            "label": ["sad", "angry", "happy", "sad"],
            "class_index": np.array([4, 0, 3, 4], dtype="int64"),
            "split": ["train", "val", "train", "test"],
        }
    )
    chosen = select(labelled, "train")
    assert (chosen.rows.tolist(), chosen.labels.tolist()) == ([4, 2], [4, 3])
    assert chosen.rows.dtype == np.int64 and chosen.labels.dtype == np.int32


def test_no_thread_of_tf_data_tunes_what_is_known() -> None:
    # The end of an iterator would often wait for that thread's next turn, up to a minute.
    train = training_batches(IMAGES, SPLIT, batch_size=5, seed=1)
    validation = validation_batches(IMAGES, SPLIT, batch_size=5)
    assert [each.options().autotune.enabled for each in (train, validation)] == [False, False]


def test_many_cores_hold_no_more_batches_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferflow.training.pipeline.cpu_threads", lambda: 64)
    drawn = []

    class Counted(np.ndarray):
        def __getitem__(self, rows: Any) -> Any:
            drawn.append(rows)
            return super().__getitem__(rows)

    batches = training_batches(
        IMAGES.view(Counted), SPLIT, batch_size=5, seed=1, augment=lambda images, _: images
    )
    iterator = iter(batches)
    next(iterator)
    deadline = time.monotonic() + 60
    while len(drawn) <= 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)  # for those that should not be drawn
    assert 5 < len(drawn) < 16
