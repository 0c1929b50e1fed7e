"""Text for a Markdown page that shows as it is meant, on GitHub and as plain text, whatever it contains."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate


def code(text: str) -> str:
    """Return a name as one line of code, e.g. a path; nothing in it is taken for Markdown."""
    line = _one_line(text)
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    # A backtick at an end would belong to the fence.
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def prose(text: str) -> str:
    """Return words of somebody else's as one line; nothing in them is taken for Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>&#|~$])", r"\\\1", _one_line(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """Return a Markdown table whose columns also line up as plain text.

    Args:
        headers: A heading for each column.
        rows: Cells that are Markdown already, one line each; a pipe in them must be escaped.
        words: How many columns, from the left, hold words; the others hold numbers.
    """
    return tabulate(
        rows,
        headers=headers,
        tablefmt="pipe",
        colalign=["left" if column < words else "right" for column in range(len(headers))],
        disable_numparse=True,
    )


def cell(markdown: str) -> str:
    """Return `markdown` for a table's cell: a pipe would end it, even in code."""
    return re.sub(r"(?<!\\)\|", r"\\|", markdown)


def count(number: int, unit: str) -> str:
    """Return a number with its unit in words, e.g. `1 image` or `1,234 images`."""
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def _one_line(text: str) -> str:
    # Control characters would end a table's row, or not be seen.
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()
