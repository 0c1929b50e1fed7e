"""The templates of this package, and how they write numbers."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from ferflow.evaluation.wording import magnitude, points
from ferflow.page import text

_FILTERS: Final = (
    *(text.percent, text.percent_interval, text.decimal, text.decimal_interval, points, text.count),
    *(magnitude, text.milliseconds, text.duration, text.p_value, text.plural, text.spoken),
)


def environment(*, autoescape: bool) -> Environment:
    """Return an environment of the package's templates with a filter for each kind of number.

    Args:
        autoescape: What is filled in is text and no HTML.
    """
    made = Environment(
        loader=PackageLoader("ferflow.page"),
        autoescape=autoescape,  # noqa: S701 (a template of Markdown has its own filters)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {function.__name__: function for function in _FILTERS}
    return made
