"""The page that explains a data set: its numbers in words and tables, and where its pictures are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from ferflow.data.explanation import sections
from ferflow.data.explanation.facts import Facts
from ferflow.data.explanation.markdown import cell, code, count, prose, table

#: The folder of the pictures with faces, beside the page.
FACES: Final = "faces"

#: These pictures and what they show, in the order of the page.
_PICTURES: Final = {
    "mean_faces.png": "the mean face of each emotion, and how it differs from the others",
    "samples.png": "faces of each emotion, drawn from train",
    "worst.png": "blank images, contradictions, and copies across splits, with their names",
}


def page(facts: Facts, pictures: Collection[str]) -> str:
    """Return the page as Markdown, readable on GitHub and as plain text.

    Args:
        facts: The numbers of the data set.
        pictures: The names of the pictures with faces; a data set with nothing wrong has no `worst.png`.
    """
    parts = [
        f"# {prose(facts.origin.dataset)}: the data",
        _opening(facts),
        _origin(facts),
        "## Counts",
        *sections.counts(facts),
        "![Images of each emotion in each split](counts.png)",
        "## Copies",
        *sections.copies(facts),
        "## Brightness, contrast and size",
        *sections.looks(facts),
        "![Brightness, contrast and original sizes](histograms.png)",
        "## Blank images",
        sections.blanks(facts),
        "## What did not become a sample",
        *sections.rejects(facts),
        "## Faces",
        _faces(pictures),
        "The numbers of this page for machines: [facts.json](facts.json) and [counts.csv](counts.csv).",
    ]
    return "\n\n".join(parts) + "\n"


def _opening(facts: Facts) -> str:
    totals = sections.used_totals(facts)
    left_out = facts.samples - facts.used
    which = f"{facts.used:,}" if left_out else "All"
    text = (
        f"{count(facts.samples, 'labelled face')}, stored as {facts.image_size} × {facts.image_size} gray "
        f"pixels. {which} of them are used: {totals['train']:,} train, {totals['val']:,} choose "
        f"(validation), {totals['test']:,} report (test)."
    )
    return text + (f" {left_out:,} are left out." if left_out else "")


def _origin(facts: Facts) -> str:
    origin = facts.origin
    sizes = sections.sizes_in_words(facts.sizes, facts.samples)
    licence = prose(origin.licence) if origin.licence else "not stated in params.yaml"
    rows = [
        ("source", cell(code(origin.source))),
        ("SHA-256", code(origin.sha256) if origin.sha256 else "none"),
        ("licence", licence),
        ("samples", f"{facts.samples:,}"),
        ("original size", sizes),
    ]
    return table(("", ""), rows, words=2)


def _faces(pictures: Collection[str]) -> str:
    items = [f"* [{name}]({FACES}/{name}): {what}" for name, what in _PICTURES.items() if name in pictures]
    if "worst.png" not in pictures:
        items.append(
            "* no sheet of defects: there is no blank image, no contradiction, no copy across splits"
        )
    return (
        "Pictures of faces are kept in DVC's cache and not in git: `dvc pull` or `dvc repro` brings them.\n\n"
        + "\n".join(items)
    )
