from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ferflow.data.explanation.copies import Crossing
from ferflow.data.explanation.counts import Balance, balance, counts_by, counts_table
from ferflow.data.explanation.facts import Rejected, gather
from ferflow.data.explanation.looks import Sizes, Spread, blanks, sizes, spread_by_split
from ferflow.data.explanation.origin import Origin, read_origin
from ferflow.errors import FerflowError
from ferflow.files import write_json
from ferflow.labels import EMOTIONS

from . import tables


def row(train: int, val: int, test: int, none: int = 0) -> dict[str, int]:
    return {"train": train, "val": val, "test": test, "none": none}


def test_counts_are_of_each_emotion_as_declared_and_as_used() -> None:
    facts = tables.facts()
    assert (facts.samples, facts.used, facts.image_size) == (11, 5, tables.SIZE)
    assert facts.declared == {
        "angry": row(1, 0, 0),
        "disgust": row(0, 0, 0),
        "fear": row(1, 0, 0),
        "happy": row(2, 1, 0),
        "sad": row(1, 0, 1),
        "surprise": row(1, 0, 0),
        "neutral": row(1, 1, 1),
    }
    assert facts.as_used == {
        "angry": row(0, 0, 0, 1),
        "disgust": row(0, 0, 0),
        "fear": row(0, 0, 0, 1),
        "happy": row(0, 1, 0, 2),
        "sad": row(0, 0, 1, 1),
        "surprise": row(1, 0, 0),
        "neutral": row(1, 0, 1, 1),
    }
    assert list(facts.declared) == list(facts.as_used) == list(EMOTIONS)


def test_what_is_left_out_is_counted_by_reason_and_declared_split_the_commonest_first() -> None:
    left_out = tables.facts().left_out
    # Three reasons with two samples each: equals stand in alphabetical order.
    assert list(left_out) == ["copy of a test image", "copy of a val image", "under two labels"]
    assert left_out["copy of a test image"] == row(1, 1, 0)
    assert left_out["copy of a val image"] == row(2, 0, 0)


def test_the_table_of_counts_has_both_views_and_loses_no_sample() -> None:
    facts = tables.facts()
    table = counts_table(facts.declared, facts.as_used).set_index("label")
    assert table.loc["happy"].to_dict() == {
        "declared_train": 2,
        "declared_val": 1,
        "declared_test": 0,
        "declared_none": 0,
        "train": 0,
        "val": 1,
        "test": 0,
        "left_out": 2,
    }
    declared = table.filter(like="declared_").sum(axis=1)
    assert (declared == table[["train", "val", "test", "left_out"]].sum(axis=1)).all()


def test_the_balance_of_train_says_nothing_where_a_class_is_missing() -> None:
    counts = {emotion: row(10, 0, 0) for emotion in EMOTIONS}
    assert balance(counts) == Balance("angry", "angry", 1.0)
    assert balance(counts | {"sad": row(25, 0, 0), "fear": row(4, 90, 0)}) == Balance("sad", "fear", 6.25)
    assert balance(counts | {"disgust": row(0, 5, 5)}) == Balance("angry", "disgust", None)


def test_copies_are_counted_among_all_samples_and_among_those_used() -> None:
    facts = tables.facts()
    before, after = facts.copies_declared, facts.copies_used
    assert (before.groups, before.samples, before.redundant, before.largest) == (4, 9, 5, 3)
    assert (before.contradictory, before.contradictory_samples) == (1, 2)
    assert before.within == {"train": 2, "val": 0, "test": 0}
    assert before.across == {
        "train_val": Crossing(1, 1),
        "train_test": Crossing(1, 1),
        "val_test": Crossing(1, 1),
    }
    assert (after.groups, after.redundant, after.contradictory, after.largest) == (0, 0, 0, 1)
    assert set(after.across.values()) == {Crossing(0, 0)}


def test_a_crossing_counts_groups_once_and_samples_of_the_later_split() -> None:
    table, used = tables.without_defects()
    table["sha256"] = "x"
    table["usage"] = used["split"] = pd.Series(["train"] * 3 + ["val"] * 6 + ["test"] * 2, dtype="str")
    across = tables.facts(table, used).copies_used.across
    assert across == {"train_val": Crossing(1, 6), "train_test": Crossing(1, 2), "val_test": Crossing(1, 2)}


def test_a_source_without_splits_has_counts_in_none_and_no_crossings() -> None:
    facts = tables.facts(tables.without_declared_splits(tables.samples()))
    assert facts.declared["happy"] == row(0, 0, 0, 3)
    assert facts.copies_declared.groups == 4
    assert set(facts.copies_declared.across.values()) == {Crossing(0, 0)}
    assert facts.left_out["copy of a val image"] == row(0, 0, 0, 2)


def test_blank_images_are_counted_and_the_first_are_named() -> None:
    blank = tables.facts().blank
    assert (blank.samples, blank.used, blank.first) == (1, 1, ["train/neutral/7.png"])
    many = blanks(
        pd.Series([1.0] * 30 + [2.0]),  # the limit itself is not blank
        pd.Series([str(number) for number in range(31)]),
        pd.Series(["train"] * 4 + [None] * 27, dtype="str"),
        2.0,
    )
    assert (many.samples, many.used) == (30, 4)
    assert many.first == [str(number) for number in range(20)]


def test_the_spread_is_of_all_samples_and_of_each_split() -> None:
    values = pd.Series(np.arange(101, dtype=np.float32))
    split = pd.Series(["train"] * 100 + ["test"], dtype="str")
    assert spread_by_split(values, split) == {
        "all": Spread(5.0, 50.0, 95.0, 50.0),
        "train": Spread(4.95, 49.5, 94.05, 49.5),
        "val": None,
        "test": Spread(100.0, 100.0, 100.0, 100.0),
    }


def test_original_sizes() -> None:
    assert tables.facts().sizes == Sizes(2, (48, 48, 96), (48, 48, 64), (48, 48), 10)
    # Of sizes that are equally common, the smaller one is named.
    assert sizes(pd.Series([90, 40]), pd.Series([50, 60])).commonest == (40, 60)


def test_rejects_are_counted_by_reason_defects_apart_from_what_is_left_out_on_purpose() -> None:
    facts = tables.facts(
        rejects_table=tables.rejects(
            ("1.png", "empty file", "get it again", True),
            ("2.png", "not an image", "remove it", True),
            ("3.png", "not an image", "remove it too", True),
            ("4.png", "contempt is dropped", "layout.drop says so", False),
        )
    )
    assert facts.defects == [
        Rejected("not an image", "remove it", 2, "2.png"),
        Rejected("empty file", "get it again", 1, "1.png"),
    ]
    assert facts.excluded == [Rejected("contempt is dropped", "layout.drop says so", 1, "4.png")]


def test_the_facts_are_plain_json() -> None:
    facts = tables.facts()
    back = json.loads(json.dumps(facts.as_json(), allow_nan=False))
    assert back["copies_declared"]["across"]["train_val"] == {"groups": 1, "samples": 1}
    assert back["as_used"] == facts.as_used
    assert set(back) == {field.name for field in dataclasses.fields(facts)}


@pytest.mark.parametrize("reorder", [[*range(1, 11), 0], [*range(10)]])
def test_splits_of_other_samples_are_refused(reorder: list[int]) -> None:
    other = tables.splits().iloc[reorder].reset_index(drop=True)
    with pytest.raises(FerflowError, match="do not match: run `dvc repro`"):
        tables.facts(splits_table=other)


def test_images_of_other_samples_are_refused() -> None:
    with pytest.raises(FerflowError, match="do not match"):
        gather(
            tables.samples(),
            tables.splits(),
            tables.rejects(),
            origin=tables.ORIGIN,
            images=tables.images()[1:],
            min_pixel_std=2.0,
        )


def test_a_name_that_no_sample_has_gets_zeros() -> None:
    counts = counts_by(pd.Series(["b"]), pd.Series(["val"], dtype="str"), ["a", "b"])
    assert counts == {"a": row(0, 0, 0), "b": row(0, 1, 0)}


def test_the_origin_has_no_credentials(tmp_path: Path) -> None:
    path = tmp_path / "origin.json"
    write_json(path, {"source": "https://me:secret@host/a.zip?token=abc", "sha256": None, "more": 1})
    assert read_origin(path, "mine", None) == Origin("mine", "https://host/a.zip?token=***", None, None)


@pytest.mark.parametrize("content", [[], {"source": "a.zip"}, "a.zip", None])
def test_an_origin_that_is_not_complete_is_named(tmp_path: Path, content: object) -> None:
    write_json(tmp_path / "origin.json", content)
    with pytest.raises(FerflowError, match=r"origin\.json does not name the source and its sha256"):
        read_origin(tmp_path / "origin.json", "mine", None)
