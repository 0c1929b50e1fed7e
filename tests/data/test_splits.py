from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ferflow.data.duplicates import find_duplicates
from ferflow.data.labelled import SPLITS, labelled_samples
from ferflow.data.splits import CONTRADICTORY, COPY_OF_TEST, COPY_OF_VAL, REDUNDANT, assign_splits
from ferflow.errors import FerflowError
from ferflow.labels import EMOTIONS, label_index

#: How many samples a label has: with 6 or more, no fraction below leaves a split without samples.
COUNTS = st.dictionaries(st.sampled_from(EMOTIONS), st.integers(6, 40), min_size=1)
FRACTIONS = st.floats(0.1, 0.35)
SEEDS = st.integers(0, 2**31 - 1)
MODERATELY = settings(max_examples=40, deadline=None)


def samples_of(counts: Mapping[str, int], usage: Sequence[str | None] | str | None = None) -> pd.DataFrame:
    labels = [label for label, count in counts.items() for _ in range(count)]
    order = np.random.default_rng(len(labels)).permutation(len(labels))
    usages = [usage] * len(labels) if usage is None or isinstance(usage, str) else list(usage)
    return pd.DataFrame(
        {
            "sample_id": [f"{row * 7919:016x}" for row in range(len(labels))],
            "label": [labels[row] for row in order],
            "source": [f"{labels[row]}/{row}.png" for row in order],
            "usage": pd.Series(usages, dtype="str"),
            "sha256": [f"{row:064x}" for row in range(len(labels))],
        }
    )


def split_of(
    samples: pd.DataFrame,
    val: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    duplicates: Literal["clean", "keep"] = "clean",
) -> pd.DataFrame:
    splits = assign_splits(samples, duplicates=duplicates, val_fraction=val, test_fraction=test, seed=seed)
    assert list(splits.columns) == ["sample_id", "split", "reason"]
    assert list(splits["sample_id"]) == list(samples["sample_id"])
    assert set(splits["split"].dropna()) == set(SPLITS)
    # Nothing is left out in silence, and nothing that is in use has a reason against it.
    assert (splits["split"].isna() == splits["reason"].notna()).all()
    return splits


def shares(samples: pd.DataFrame, splits: pd.DataFrame) -> Counter[tuple[str, str]]:
    """How many samples of each label are in each split, by (label, split)."""
    return Counter(zip(samples["label"], splits["split"], strict=True))


@MODERATELY
@given(counts=COUNTS, val=FRACTIONS, test=FRACTIONS, seed=SEEDS)
def test_where_no_split_is_declared_each_labels_share_is_exact_to_one_sample(
    counts: dict[str, int], val: float, test: float, seed: int
) -> None:
    samples = samples_of(counts)
    found = shares(samples, split_of(samples, val, test, seed))
    for label, count in counts.items():
        assert abs(found[label, "val"] - val * count) <= 0.5
        assert abs(found[label, "test"] - test * count) <= 0.5
        assert sum(found[label, split] for split in SPLITS) == count


@MODERATELY
@given(counts=COUNTS, seed=SEEDS, held_out=st.sampled_from(["val", "test"]), data=st.data())
def test_with_two_declared_splits_the_held_out_one_is_test_and_validation_comes_from_train(
    counts: dict[str, int], seed: int, held_out: str, data: st.DataObject
) -> None:
    total = sum(counts.values())
    usage = data.draw(st.lists(st.sampled_from(["train", held_out]), min_size=total, max_size=total))
    samples = samples_of(counts, usage)
    declared = samples["usage"]
    in_train = Counter(samples.loc[declared == "train", "label"])
    wanted = {label: min(round(0.3 * count), in_train[label]) for label, count in counts.items()}
    assume(held_out in usage and 0 < sum(wanted.values()) < in_train.total())
    split = split_of(samples, val=0.3, seed=seed)["split"]
    assert (split[declared == held_out] == "test").all()
    assert set(split[declared == "train"]) <= {"train", "val"}
    assert samples.loc[split == "val", "label"].value_counts().to_dict() == {
        label: count for label, count in wanted.items() if count
    }


@MODERATELY
@given(counts=COUNTS, seed=SEEDS, data=st.data())
def test_three_declared_splits_are_kept(counts: dict[str, int], seed: int, data: st.DataObject) -> None:
    total = sum(counts.values())
    usage = data.draw(st.lists(st.sampled_from(SPLITS), min_size=total, max_size=total))
    usage[:3] = SPLITS
    samples = samples_of(counts, usage)
    assert list(split_of(samples, seed=seed)["split"]) == usage


def copied(samples: pd.DataFrame, groups: Sequence[int]) -> pd.DataFrame:
    """Samples whose pixels are equal where the numbers in `groups` are; used in turn until all have one."""
    numbers = [groups[row % len(groups)] for row in range(len(samples))]
    return samples.assign(sha256=[f"{number:064x}" for number in numbers])


def splits_of_groups(samples: pd.DataFrame, splits: pd.DataFrame) -> pd.Series:
    """How many splits the copies of each image are in."""
    return splits["split"].groupby(samples["sha256"].to_numpy()).nunique()


#: Images of 80 samples or fewer: some are copies of one another, some stand alone.
GROUPS = st.lists(st.integers(0, 60), min_size=30, max_size=80)


@MODERATELY
@given(groups=GROUPS, seed=SEEDS, val=FRACTIONS, test=FRACTIONS, keep=st.booleans())
def test_what_is_carved_is_grouped_by_pixels_and_exact_in_distinct_images(
    groups: list[int], seed: int, val: float, test: float, keep: bool
) -> None:
    # A label follows from the pixels here, so that no group contradicts itself.
    samples = copied(samples_of({"happy": len(groups)}), groups)
    samples["label"] = np.where([int(digest, 16) % 3 == 0 for digest in samples["sha256"]], "sad", "happy")
    distinct = samples.drop_duplicates("sha256")["label"].value_counts()
    assume(len(distinct) == 2 and distinct.min() >= 6)
    splits = split_of(samples, val, test, seed, "keep" if keep else "clean")
    assert (splits_of_groups(samples, splits) == 1).all()
    images = samples.assign(split=splits["split"]).dropna(subset="split").drop_duplicates("sha256")
    for label, count in distinct.items():
        for name, fraction in (("val", val), ("test", test)):
            found = ((images["label"] == label) & (images["split"] == name)).sum()
            assert abs(found - fraction * count) <= 0.5
    assert set(splits["reason"].dropna()) <= {REDUNDANT}
    if keep:
        assert splits["split"].notna().all()
    else:
        held_out = splits["split"].isin(["val", "test"])
        assert not samples.loc[held_out, "sha256"].duplicated().any()
        # The copies that are left out are those of images in val and test, and no others.
        left_out = samples.loc[splits["split"].isna(), "sha256"]
        assert set(left_out) <= set(samples.loc[held_out, "sha256"])


@MODERATELY
@given(
    groups=GROUPS,
    seed=SEEDS,
    declared=st.sampled_from([("train", "val", "test"), ("train", "test"), ("train",)]),
    data=st.data(),
)
def test_cleaned_splits_share_no_image_and_train_on_no_contradiction(
    groups: list[int], seed: int, declared: tuple[str, ...], data: st.DataObject
) -> None:
    usage = data.draw(st.lists(st.sampled_from(declared), min_size=len(groups), max_size=len(groups)))
    assume(set(usage) == set(declared))
    labels = data.draw(st.lists(st.sampled_from(EMOTIONS[:3]), min_size=len(groups), max_size=len(groups)))
    samples = copied(samples_of({"happy": len(groups)}, usage), groups).assign(label=labels)
    try:
        splits = split_of(samples, 0.3, 0.3, seed)
    except FerflowError as error:
        assert "split has no samples" in str(error)  # all of its images were copies
        return
    assert (splits_of_groups(samples, splits) <= 1).all()
    contradictory = samples.groupby("sha256")["label"].transform("nunique") > 1
    assert not (contradictory & (splits["split"] == "train")).any()
    # What the source calls test is test, whole; what it calls val stays, but for copies of test.
    if "test" in declared:
        assert (splits["split"][samples["usage"] == "test"] == "test").all()
    if declared == SPLITS:
        in_test = samples["sha256"].isin(samples.loc[samples["usage"] == "test", "sha256"])
        kept = splits["split"][(samples["usage"] == "val") & ~in_test]
        assert (kept == "val").all()
    pd.testing.assert_frame_equal(splits, split_of(samples, 0.3, 0.3, seed))


#: usage, label and image of samples, and the split or the reason that each is to have.
CLEANED = [
    ("train", "happy", 1, "train"),
    ("train", "happy", 1, "train"),  # a copy within train only weighs twice
    ("train", "happy", 2, COPY_OF_TEST),
    ("test", "happy", 2, "test"),
    ("test", "sad", 2, "test"),  # a contradiction in test is the published test's own
    ("val", "happy", 2, COPY_OF_TEST),
    ("train", "sad", 3, COPY_OF_VAL),
    ("val", "happy", 3, "val"),
    ("val", "happy", 3, "val"),
    ("train", "happy", 4, CONTRADICTORY),
    ("train", "sad", 4, CONTRADICTORY),
    ("train", "sad", 5, "train"),
]


def cleaned_samples() -> pd.DataFrame:
    usage, label, image, _ = zip(*CLEANED, strict=True)
    return copied(samples_of({"happy": len(CLEANED)}, usage), image).assign(label=label)


def test_each_sample_that_is_left_out_has_its_reason() -> None:
    splits = split_of(cleaned_samples())
    assert list(splits["split"].fillna(splits["reason"])) == [expected for *_, expected in CLEANED]


def test_kept_duplicates_stay_where_the_source_puts_them() -> None:
    splits = split_of(cleaned_samples(), duplicates="keep")
    assert list(splits["split"]) == [usage for usage, *_ in CLEANED]


def test_images_under_two_labels_are_never_carved() -> None:
    samples = copied(samples_of({"happy": 30, "sad": 30}), range(30))
    splits = split_of(samples.iloc[:40].reset_index(drop=True))
    contradictory = find_duplicates(samples["sha256"][:40], samples["label"][:40]).contradictory
    assert contradictory.any()
    assert (splits["reason"][contradictory] == CONTRADICTORY).all()


def test_samples_that_are_left_out_belong_to_no_split() -> None:
    samples = cleaned_samples()
    table = labelled_samples(samples, split_of(samples))
    assert list(table["row"]) == [row for row, (*_, found) in enumerate(CLEANED) if found in SPLITS]


@pytest.mark.parametrize(("usage", "said"), [(["val", "test"], "test and val"), (["test"], "test")])
def test_held_out_splits_without_train_are_refused(usage: list[str], said: str) -> None:
    samples = samples_of({"happy": 20}, usage * (20 // len(usage)))
    with pytest.raises(FerflowError, match=f"the data set declares {said} but no train split"):
        split_of(samples)


def test_one_declared_split_is_as_good_as_none() -> None:
    counts = {"happy": 50, "sad": 20}
    undeclared, declared = samples_of(counts), samples_of(counts, "train")
    pd.testing.assert_frame_equal(split_of(declared), split_of(undeclared))


def test_the_seed_decides_and_nothing_else() -> None:
    samples = samples_of({"happy": 100, "sad": 60})
    first, again, other = (split_of(samples, seed=seed) for seed in (7, 7, 8))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_validation_and_test_of_the_same_size_are_not_the_same_choice() -> None:
    samples = samples_of({"happy": 200})
    split = split_of(samples, val=0.4, test=0.4)["split"]
    assert split.value_counts().to_dict() == {"val": 80, "test": 80, "train": 40}


@pytest.mark.parametrize("declared", ["train", "test"])
def test_samples_without_a_split_among_others_with_one_are_refused(declared: str) -> None:
    samples = samples_of({"happy": 20}, [declared] * 18 + [None] * 2)
    orphan = samples["source"].iloc[18]
    with pytest.raises(FerflowError, match=f"2 samples are in no split while others are, e.g. {orphan}:"):
        split_of(samples)


@pytest.mark.parametrize(
    ("counts", "usage", "empty"),
    [
        ({"happy": 1, "sad": 1}, None, "val"),
        ({"happy": 3, "sad": 4}, None, "val"),
        ({"happy": 1}, "train", "val"),
        ({"happy": 4}, ["train", "train", "train", "test"], "val"),
    ],
)
def test_too_few_samples_to_carve_a_split_are_refused(
    counts: dict[str, int], usage: list[str] | str | None, empty: str
) -> None:
    message = rf"the {empty} split has no samples: 0.1 of .* \(6 of a label .* raise split.{empty}_fraction"
    with pytest.raises(FerflowError, match=message):
        split_of(samples_of(counts, usage))


@pytest.mark.parametrize("emptied", ["train", "val"])
def test_a_split_that_consists_of_copies_is_refused_with_its_reason(emptied: str) -> None:
    usage = [*SPLITS, emptied, "test"]
    image = [9 if name == emptied else 1 if name == "test" else 2 for name in usage]
    samples = copied(samples_of({"happy": 5}, usage), [1 if number == 9 else number for number in image])
    with pytest.raises(FerflowError, match=rf"the {emptied} split .* left out \(2 as {COPY_OF_TEST}\)"):
        split_of(samples)


def test_what_is_carved_out_of_train_takes_nothing_from_a_declared_test() -> None:
    # Every image stands once in train and once in test, and is to stay there.
    samples = copied(samples_of({"happy": 40}, ["train", "test"] * 20), [row // 2 for row in range(40)])
    split = split_of(samples, val=0.4, duplicates="keep")["split"]
    assert (split[samples["usage"] == "test"] == "test").all()
    assert set(split[samples["usage"] == "train"]) == {"train", "val"}


@MODERATELY
@given(counts=COUNTS, seed=SEEDS, kept=st.floats(0.1, 1))
def test_samples_and_splits_are_joined_by_id_in_any_order_of_the_splits(
    counts: dict[str, int], seed: int, kept: float
) -> None:
    samples = samples_of(counts)
    splits = split_of(samples, seed=seed)
    some = splits.sample(frac=kept, random_state=seed)
    table = labelled_samples(samples, some)
    assert list(table.columns) == ["row", "sample_id", "label", "class_index", "split"]
    assert set(table["sample_id"]) == set(some["sample_id"])
    assert table["row"].is_monotonic_increasing
    rows = table["row"].to_numpy()
    for column, source in (("sample_id", samples), ("label", samples), ("split", splits)):
        assert list(table[column]) == list(source[column].to_numpy()[rows])
    assert list(table["class_index"]) == [label_index(label) for label in table["label"]]


def test_rows_are_positions_in_the_array_whatever_the_index_of_the_table() -> None:
    samples = samples_of({"happy": 20})
    splits = split_of(samples)
    expected = labelled_samples(samples, splits)
    pd.testing.assert_frame_equal(labelled_samples(samples.set_index(samples.index[::-1]), splits), expected)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ({"sample_id": ["f" * 16], "split": ["test"]}, r"\(1 unknown, 0 repeated ids\): run `dvc repro`"),
        ({"sample_id": ["0" * 16, "0" * 16], "split": ["test", "val"]}, r"\(0 unknown, 2 repeated ids\)"),
    ],
)
def test_splits_of_other_samples_are_refused(added: dict[str, list[str]], message: str) -> None:
    samples = samples_of({"happy": 20})
    splits = pd.concat([split_of(samples), pd.DataFrame(added)])
    with pytest.raises(FerflowError, match=message):
        labelled_samples(samples, splits)


def test_samples_with_one_id_twice_are_refused() -> None:
    samples = samples_of({"happy": 20})
    splits = split_of(samples)
    samples["sample_id"] = [samples["sample_id"].iloc[0], *samples["sample_id"].iloc[[0, *range(2, 20)]]]
    with pytest.raises(FerflowError, match="1 unknown"):
        labelled_samples(samples, splits)
    with pytest.raises(pd.errors.MergeError):
        labelled_samples(samples, splits.drop(index=1))
