"""What the charts of the page share: the rows that they read, their colours and their look.

Colours are names of the style sheet's variables, so that light, dark and print need no second drawing.
"""

from __future__ import annotations

from typing import Any, Final

import altair as alt

#: What the charts read; the page puts the rows of one model in its place.
ROWS: Final = alt.NamedData(name="rows")
PERCENT: Final = ".0%"
SERIES: Final = [f"var(--series-{number})" for number in range(7)]
SPLITS: Final = {"train": "var(--train)", "val": "var(--val)", "test": "var(--test)"}

Spec = dict[str, Any]
Drawing = alt.Chart | alt.LayerChart | alt.FacetChart

#: The look that all charts share.
CONFIG: Final[Spec] = {
    "background": "transparent",
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "padding": {"left": 2, "right": 6, "top": 6, "bottom": 2},
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "grid": True,
        "gridColor": "var(--line)",
        "labelColor": "var(--soft)",
        "labelFontSize": 12,
        "labelPadding": 6,
        "titleColor": "var(--soft)",
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "legend": {
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "labelLimit": 220,
        "titleColor": "var(--soft)",
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "symbolStrokeWidth": 3,
        "orient": "bottom",
        "direction": "horizontal",
        "columnPadding": 16,
        "rowPadding": 4,
    },
    "line": {"strokeWidth": 2.25, "strokeCap": "round", "strokeJoin": "round"},
    "point": {"filled": True, "opacity": 1},
    "rule": {"color": "var(--soft)"},
    "text": {"color": "var(--ink)", "fontSize": 12},
    "style": {"faint": {"stroke": "var(--soft)", "strokeDash": [4, 4], "strokeWidth": 1, "opacity": 0.8}},
}


def share(field: str, title: str, **scale: Any) -> alt.Y:
    """Return a vertical axis of shares, in per cent."""
    return alt.Y(f"{field}:Q").title(title).axis(format=PERCENT, tickCount=5).scale(**scale)
