"""The sections of the page that explains a data set, each as paragraphs of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ferflow.data.explanation.charts import SPLIT_NAMES
from ferflow.data.explanation.copies import PAIRS, Copies
from ferflow.data.explanation.counts import NONE, Counts, total
from ferflow.data.explanation.facts import Facts, Rejected
from ferflow.data.explanation.looks import Sizes, Spread
from ferflow.data.explanation.markdown import cell, code, count, prose, table
from ferflow.data.labelled import SPLITS

_MOST_REASONS: Final = 20
_MOST_NAMES: Final = 5
_UNKNOWN: Final = "–"  # what there is no number for


def counts(facts: Facts) -> list[str]:
    """Return how many images there are of each emotion: declared, used, left out."""
    parts = []
    if declares_splits(facts):
        parts += ["As the source declares them:", _count_table("emotion", facts.declared, "no split")]
    else:
        parts.append("The source declares no splits: they are carved.")
    parts += ["As they are used:", _count_table("emotion", facts.as_used, "left out"), _balance(facts)]
    if facts.left_out:
        by_split = ", by the split that the source declares" if declares_splits(facts) else ""
        table_of_reasons = _count_table("reason", facts.left_out, "no split", all_splits=False)
        return [*parts, f"What is left out and why{by_split}:", table_of_reasons]
    return [*parts, "Nothing is left out."]


def copies(facts: Facts) -> list[str]:
    """Return how many images stand there more than once, under which labels, in which splits."""
    before, after = facts.copies_declared, facts.copies_used
    if not before.groups:
        return ["Every image stands in the data set once: no two have the same pixels."]
    text = (
        "Two images are copies of each other where all their stored pixels are equal, whatever their names, "
        f"labels and splits. {count(before.groups, 'group')} of copies with {before.samples:,} images: "
        f"{before.redundant:,} are redundant (all but one of each group), and the largest group has "
        f"{before.largest:,}. "
    )
    if before.contradictory:
        stand = "stands" if before.contradictory == 1 else "stand"
        text += (
            f"{count(before.contradictory, 'group')} with {before.contradictory_samples:,} images {stand} "
            "under more than one label."
        )
    else:
        text += "None stands under more than one label."
    return [text, _copies_table(facts), _leaks(after)]


def looks(facts: Facts) -> list[str]:
    """Return the spread of brightness and contrast over all samples and over each split."""
    rows = [
        (SPLIT_NAMES.get(name, name), *_cells(spread), *_cells(facts.contrast[name]))
        for name, spread in facts.brightness.items()
    ]
    quantities = ("5 %", "median", "95 %")
    headers = (
        "split",
        *(f"brightness, {quantity}" for quantity in quantities),
        *(f"contrast, {quantity}" for quantity in quantities),
    )
    return [
        "Brightness is the mean of an image's gray levels (0 to 255), contrast their standard deviation. "
        "Below the three values lie 5 %, half and 95 % of the images.",
        table(headers, rows),
    ]


def blanks(facts: Facts) -> str:
    """Return how many images have nothing on them, and the names of the first."""
    blank = facts.blank
    limit = f"{blank.min_pixel_std:g} gray levels (`validate.min_pixel_std`)"
    if not blank.samples:
        return f"None: the standard deviation of every image is {limit} or more."
    shown = blank.first[:_MOST_NAMES]
    first = "" if len(shown) == blank.samples else "The first: "
    return (
        f"{count(blank.samples, 'image')} with a standard deviation below {limit}; {blank.used:,} of them "
        f"{'is' if blank.used == 1 else 'are'} used. {first}{', '.join(code(name) for name in shown)}."
    )


def rejects(facts: Facts) -> list[str]:
    """Return what could not be read, and what was left out of the samples on purpose."""
    if not facts.defects and not facts.excluded:
        return ["Nothing: everything in the source became a sample."]
    parts = []
    for title, groups in (("Defects", facts.defects), ("Left out on purpose", facts.excluded)):
        number = sum(group.count for group in groups)
        parts.append(f"{title}: {number:,}." if groups else f"{title}: none.")
        if groups:
            parts.append(_reject_table(groups))
    return parts


def sizes_in_words(sizes: Sizes, samples: int) -> str:
    """Return the sizes that the images had in the source, in one line."""
    commonest = f"{sizes.commonest[0]} × {sizes.commonest[1]}"
    if sizes.distinct == 1:
        return f"all {commonest}"
    width, height = sizes.width, sizes.height
    return (
        f"{sizes.distinct:,} sizes: width {width[0]:,} to {width[2]:,} (median {width[1]:,}), height "
        f"{height[0]:,} to {height[2]:,} (median {height[1]:,}); {sizes.commonest_samples / samples:.0%} "
        f"are {commonest}"
    )


def declares_splits(facts: Facts) -> bool:
    """Return whether the source declares the split of any sample."""
    return total(facts.declared)[NONE] < facts.samples


def used_totals(facts: Facts) -> dict[str, int]:
    """Return the number of samples in each split, as they are used."""
    return total(facts.as_used)


def _count_table(what: str, of: Counts, none: str, *, all_splits: bool = True) -> str:
    """A row for each name and one of sums; a column without anything in it only if it is a split's."""
    sums = total(of)
    columns = [column for column in (*SPLITS, NONE) if sums[column] or (all_splits and column != NONE)]
    columns = [] if columns == [NONE] else columns
    rows = [[prose(name), *_numbers(row, columns)] for name, row in of.items()]
    rows.append(["**all**", *(f"**{number}**" for number in _numbers(sums, columns))])
    headers = [what, *(SPLIT_NAMES.get(column, none) for column in columns), "all"]
    return table(headers, rows)


def _numbers(row: dict[str, int], columns: Sequence[str]) -> list[str]:
    return [*(f"{row[column]:,}" for column in columns), f"{sum(row.values()):,}"]


def _balance(facts: Facts) -> str:
    balance = facts.train_balance
    if balance.ratio is None:
        return f"There is no {balance.smallest} in train."
    return (
        f"The largest class of train, {balance.largest}, has {balance.ratio:.1f} times the images of the "
        f"smallest, {balance.smallest}."
    )


def _copies_table(facts: Facts) -> str:
    both = (facts.copies_declared, facts.copies_used)
    rows = [
        ("groups of copies", *(f"{copies.groups:,}" for copies in both)),
        ("redundant copies", *(f"{copies.redundant:,}" for copies in both)),
        ("groups under more than one label", *(f"{copies.contradictory:,}" for copies in both)),
    ]
    for split in SPLITS:
        rows.append(
            (f"redundant within {SPLIT_NAMES[split]}", *(f"{copies.within[split]:,}" for copies in both))
        )
    for earlier, later in PAIRS:
        what = f"groups in {SPLIT_NAMES[earlier]} and {SPLIT_NAMES[later]} (images of {SPLIT_NAMES[later]})"
        crossings = (copies.across[f"{earlier}_{later}"] for copies in both)
        rows.append((what, *(f"{crossing.groups:,} ({crossing.samples:,})" for crossing in crossings)))
    if not declares_splits(facts):
        rows = [*rows[:3], *((what, _UNKNOWN, used) for what, _, used in rows[3:])]
    return table(("", "in the source", "as used"), rows)


def _leaks(used: Copies) -> str:
    leaks = [
        f"{crossing.samples:,} of {SPLIT_NAMES[later]} in {SPLIT_NAMES[earlier]}"
        for earlier, later in PAIRS
        if (crossing := used.across[f"{earlier}_{later}"]).samples
    ]
    if leaks:
        return (
            f"**As used, images stand in two splits**: {', '.join(leaks)}. Results on them flatter: see "
            "`split.duplicates` in params.yaml."
        )
    return "As used, no image stands in two splits."


def _cells(spread: Spread | None) -> tuple[str, str, str]:
    if spread is None:
        return _UNKNOWN, _UNKNOWN, _UNKNOWN
    return f"{spread.low:.1f}", f"{spread.median:.1f}", f"{spread.high:.1f}"


def _reject_table(groups: list[Rejected]) -> str:
    rows = [
        (prose(group.reason), prose(group.remedy), cell(code(group.example)), f"{group.count:,}")
        for group in groups[:_MOST_REASONS]
    ]
    if rest := groups[_MOST_REASONS:]:
        number = sum(group.count for group in rest)
        rows.append((f"{count(len(rest), 'other reason')}, see facts.json", "", "", f"{number:,}"))
    return table(("reason", "what to do", "first of them", "count"), rows, words=3)
