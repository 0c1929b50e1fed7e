from __future__ import annotations

import re

import pandas as pd
import pytest

from ferflow.data.explanation.facts import Facts
from ferflow.data.explanation.markdown import cell, code, prose, table
from ferflow.data.explanation.origin import Origin
from ferflow.data.explanation.page import page

from . import tables

PICTURES = ["mean_faces.png", "samples.png", "worst.png"]


def text_of(facts: Facts) -> str:
    return page(facts, PICTURES)


def cells_of(text: str, first: str) -> list[str]:
    """The cells of the table row that begins with `first`."""
    (row,) = [line for line in text.splitlines() if re.match(rf"\| {re.escape(first)} *\|", line)]
    return [part.strip() for part in row.strip("|").split("|")][1:]


def assert_tables_are_whole(text: str) -> None:
    """Every row of a table has as many cells as its heading."""
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block


def test_the_page_says_where_the_data_come_from() -> None:
    text = text_of(tables.facts())
    assert text.startswith(
        "# tiny: the data\n\n11 labelled faces, stored as 8 × 8 gray pixels. 5 of them are"
    )
    assert "2 train, 1 choose (validation), 2 report (test). 6 are left out." in text
    assert cells_of(text, "source") == ["`faces.zip`"]
    assert cells_of(text, "SHA-256") == [f"`{'ab' * 32}`"]
    assert cells_of(text, "licence") == ["MIT"]
    assert cells_of(text, "original size")[0].startswith(
        "2 sizes: width 48 to 96 (median 48), height 48 to 64"
    )


def test_the_page_has_the_counts_the_reasons_and_the_pictures() -> None:
    text = text_of(tables.facts())
    declared, used = text.split("As they are used:")
    assert cells_of(declared, "happy") == ["2", "1", "0", "3"]
    assert cells_of(declared, "**all**") == ["**7**", "**2**", "**2**", "**11**"]
    used, left_out = used.split("What is left out and why, by the split that the source declares:")
    assert cells_of(used, "happy") == ["0", "1", "0", "2", "3"]
    assert "There is no angry in train." in used
    assert cells_of(left_out, "copy of a test image") == ["1", "1", "2"]
    for picture in ("counts.png", "histograms.png"):
        assert f"]({picture})" in text
    for picture in PICTURES:
        # Linked and not shown: they are not in git, and a page there would show a broken image.
        assert f"* [{picture}](faces/{picture}): " in text
        assert f"![{picture}" not in text
    assert "DVC's cache and not in git: `dvc pull` or `dvc repro` brings them" in text


def test_the_page_has_the_copies_before_and_after() -> None:
    text = text_of(tables.facts())
    assert "4 groups of copies with 9 images: 5 are redundant" in text
    assert "1 group with 2 images stands under more than one label." in text
    assert cells_of(text, "redundant within train") == ["2", "0"]
    assert cells_of(text, "groups in train and test (images of test)") == ["1 (1)", "0 (0)"]
    assert "As used, no image stands in two splits." in text


def test_copies_that_are_kept_are_said_to_leak() -> None:
    kept = tables.splits().assign(split=tables.samples()["usage"], reason=pd.Series([None] * 11, dtype="str"))
    text = text_of(tables.facts(splits_table=kept))
    assert (
        "**As used, images stand in two splits**: 1 of validation in train, 1 of test in train, "
        "1 of test in validation."
    ) in text
    assert "no image stands in two splits" not in text
    assert "Nothing is left out." in text


def test_a_source_without_splits_is_said_to_have_none() -> None:
    text = text_of(tables.facts(tables.without_declared_splits(tables.samples())))
    assert "The source declares no splits: they are carved." in text
    assert "As the source declares them" not in text
    assert cells_of(text, "groups of copies") == ["4", "0"]
    assert cells_of(text, "groups in train and test (images of test)") == ["–", "0 (0)"]
    assert cells_of(text, "copy of a val image") == ["2"]
    assert_tables_are_whole(text)


def test_data_with_nothing_wrong_say_so() -> None:
    samples, splits = tables.without_defects()
    facts = tables.facts(samples, splits, origin=Origin("mine", "faces", None, None))
    text = page(facts, ["mean_faces.png", "samples.png"])
    assert "All of them are used: 7 train, 2 choose" in text
    assert "Every image stands in the data set once" in text
    assert "None: the standard deviation of every image is 2 gray levels" in text
    assert "Nothing: everything in the source became a sample." in text
    assert "Nothing is left out." in text
    assert " are left out" not in text
    assert "[worst.png]" not in text
    assert "* no sheet of defects:" in text
    assert cells_of(text, "licence") == ["not stated in params.yaml"]
    assert cells_of(text, "SHA-256") == ["none"]
    assert_tables_are_whole(text)


def test_an_empty_split_has_no_brightness() -> None:
    splits = tables.splits().assign(split=pd.Series(["train"] * 11, dtype="str"))
    text = text_of(tables.facts(splits_table=splits))
    (row,) = [line for line in text.splitlines() if line.startswith("| validation ")]
    assert row.count("–") == 6


def test_rejects_are_listed_with_reason_remedy_and_the_first_of_them() -> None:
    text = text_of(
        tables.facts(
            rejects_table=tables.rejects(
                ("a.png", "not an image", "remove it", True), ("b.png", "not an image", "remove it", True)
            )
        )
    )
    assert "Defects: 2." in text
    assert "Left out on purpose: none." in text
    assert cells_of(text, "not an image") == ["remove it", "`a.png`", "2"]


def test_many_reasons_are_cut_and_none_is_lost() -> None:
    rows = [(f"{number}.png", f"reason {number:02}", "look at it", True) for number in range(25)]
    text = text_of(tables.facts(rejects_table=tables.rejects(*rows)))
    assert cells_of(text, "reason 19")[-1] == "1"
    assert "reason 20 " not in text
    assert cells_of(text, "5 other reasons, see facts.json")[-1] == "5"


HOSTILE = [
    "a|b.png",
    "`tick`.png",
    "two\nlines.png",
    "面/顔 ö.png",
    "<b>.png",
    "*_[x](y).png",
    "a\u2028b",
    "$x$",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_stays_in_its_place(name: str) -> None:
    samples = tables.samples()
    samples["source"] = [f"{name}{number}" for number in range(len(samples))]
    text = text_of(
        tables.facts(
            samples,
            rejects_table=tables.rejects((name, f"'{name}' is no emotion", "rename it", True)),
            origin=Origin("mine", name, None, name),
        )
    )
    plain = text_of(
        tables.facts(
            rejects_table=tables.rejects(("x", "x", "rename it", True)), origin=Origin("mine", "x", None, "x")
        )
    )
    assert_tables_are_whole(text)
    assert len(text.splitlines()) == len(plain.splitlines())
    assert not re.search(r"(?<![\\`])<b>", text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a.png", "`a.png`"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a``b`c", "```a``b`c```"),
        ("a\r\nb", "`a b`"),
        ("", "` `"),
    ],
)
def test_code_is_one_line_whose_fence_is_longer_than_any_in_it(text: str, written: str) -> None:
    assert code(text).replace("`  `", "` `") == written


def test_prose_is_shown_letter_by_letter() -> None:
    assert prose("a_b *c* [d](e) <f> g|h `i` \\") == r"a\_b \*c\* \[d\](e) \<f\> g\|h \`i\` " + "\\\\"
    assert prose("CC BY-NC 4.0, see https://example.org") == "CC BY-NC 4.0, see https://example.org"


def test_a_cell_escapes_pipes_once() -> None:
    assert cell(code("a|b")) == r"`a\|b`"
    assert cell(prose("a|b")) == r"a\|b"


def test_columns_of_words_stand_left_and_of_numbers_right() -> None:
    assert table(("name", "count"), [("a", "1"), ("b", "1,000")]).splitlines() == [
        "| name   |   count |",
        "|:-------|--------:|",
        "| a      |       1 |",
        "| b      |   1,000 |",
    ]
