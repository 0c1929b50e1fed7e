"""The charts of one model."""

from __future__ import annotations

from typing import Final

import altair as alt

from ferflow.labels import EMOTIONS
from ferflow.page.chart_style import PERCENT, ROWS, SERIES, SPLITS, Drawing, share

#: In the order of `EMOTIONS`: one's own colour each, near to what it is often drawn in.
_EMOTION_COLOURS: Final = [SERIES[number] for number in (1, 2, 3, 4, 0, 5, 6)]


def curve(metric: str, title: str, axis: alt.Axis) -> Drawing:
    """Return a metric by epoch on train and validation, with the beginnings of phases."""
    lines = (
        alt.Chart(ROWS)
        .transform_fold([f"train_{metric}", f"val_{metric}"], as_=["measured on", "value"])
        .mark_line(point=alt.OverlayMarkDef(size=22))
        .encode(
            x=_epochs("epoch"),
            y=alt.Y("value:Q").title(title).axis(axis).scale(zero=False),
            color=alt.Color("measured on:N")
            .scale(domain=[f"train_{metric}", f"val_{metric}"], range=[SPLITS["train"], SPLITS["val"]])
            .title(None)
            .legend(labelExpr="datum.index ? 'validation' : 'train'"),
            tooltip=[
                alt.Tooltip("epoch:Q"),
                alt.Tooltip("phase:N"),
                alt.Tooltip(f"train_{metric}:Q", title="train", format=".4f"),
                alt.Tooltip(f"val_{metric}:Q", title="validation", format=".4f"),
            ],
        )
    )
    return alt.layer(lines, _phases()).properties(width="container", height=220)


def _epochs(field: str) -> alt.X:
    return alt.X(f"{field}:Q").title("Epoch").axis(tickMinStep=1, grid=False, format="d").scale(nice=False)


def _phases() -> alt.Chart:
    """Return a line where a phase begins; that of the first, without which there may be none, is not seen."""
    begins = alt.Chart(ROWS).transform_filter("isValid(datum.begins)").mark_rule(style="faint")
    seen = alt.condition("datum.begins < datum.epoch", alt.value(0.8), alt.value(0))
    chart: alt.Chart = begins.encode(x=_epochs("begins"), opacity=seen, tooltip=[alt.Tooltip("phase:N")])
    return chart


def learning_rate() -> Drawing:
    """Return the learning rate by epoch."""
    line = (
        alt.Chart(ROWS)
        .transform_filter("datum.learning_rate > 0")
        .mark_line(
            interpolate="step",
            color="var(--ink)",
            strokeWidth=1.75,
            point=alt.OverlayMarkDef(size=14, color="var(--ink)"),
        )
        .encode(
            x=_epochs("epoch"),
            y=alt.Y("learning_rate:Q")
            .title("Learning rate")
            .scale(type="log")
            .axis(format="~e", grid=False, labelOverlap="greedy", labelSeparation=12),
            tooltip=["epoch:Q", "phase:N", alt.Tooltip("learning_rate:Q", format=".3~g")],
        )
    )
    return alt.layer(line, _phases()).properties(width="container", height=110)


def reliability() -> Drawing:
    """Return accuracy against confidence; points are as large as their bins."""
    ideal = (
        alt.Chart(alt.InlineData([{"at": 0}, {"at": 1}])).mark_line(style="faint").encode(x="at:Q", y="at:Q")
    )
    filled = alt.Chart(ROWS).transform_filter("datum.samples > 0")
    x = alt.X("confidence:Q").title("Confidence").axis(format=PERCENT, tickCount=5).scale(domain=[0, 1])
    tooltip = [
        alt.Tooltip("confidence:Q", title="mean confidence", format=".1%"),
        alt.Tooltip("accuracy:Q", format=".1%"),
        alt.Tooltip("samples:Q", format=","),
    ]
    encoded = filled.encode(x=x, y=share("accuracy", "Accuracy", domain=[0, 1]), tooltip=tooltip)
    line = encoded.mark_line(color="var(--test)")
    points = encoded.mark_point(color="var(--test)").encode(
        size=alt.Size("samples:Q").scale(range=[20, 220]).legend(None)
    )
    return alt.layer(ideal, line, points).properties(width="container", height=260)


def confidence() -> Drawing:
    """Return how many images there are of each confidence."""
    chart: alt.Chart = (
        alt.Chart(ROWS)
        .mark_rect(color="var(--test)", opacity=0.75)
        .encode(
            x=alt.X("bin_low:Q").title("Confidence").axis(format=PERCENT, tickCount=5).scale(domain=[0, 1]),
            x2="bin_high:Q",
            y=alt.Y("samples:Q").title("Images").axis(tickCount=3, format="~s").scale(zero=True),
            y2=alt.datum(0),
            tooltip=[
                alt.Tooltip("bin_low:Q", title="from", format=PERCENT),
                alt.Tooltip("bin_high:Q", title="to", format=PERCENT),
                alt.Tooltip("samples:Q", format=","),
            ],
        )
        .properties(width="container", height=80)
    )
    return chart


def precision_recall() -> Drawing:
    """Return a curve for each emotion against all others."""
    chart: alt.Chart = (
        alt.Chart(ROWS)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("recall:Q").title("Recall").axis(format=PERCENT, tickCount=5).scale(domain=[0, 1]),
            y=share("precision", "Precision", domain=[0, 1]),
            order="place:Q",
            color=alt.Color("label:N").scale(domain=list(EMOTIONS), range=_EMOTION_COLOURS).title(None),
            tooltip=[
                alt.Tooltip("label:N", title="emotion"),
                *[alt.Tooltip(f"{name}:Q", format=".3f") for name in ("precision", "recall", "threshold")],
            ],
        )
        .properties(width="container", height=260)
    )
    return chart


def robustness() -> Drawing:
    """Return accuracy by severity, a line for each corruption."""
    base = alt.Chart(ROWS)
    clean = base.transform_filter("datum.severity === 0").mark_rule(style="faint").encode(y="clean:Q")
    # Of one colour, the second line is dashed; both layers say so, or the legend would fall apart.
    dashes = [dash for dash in ([1, 0], [5, 3]) for _ in SERIES]
    encoded = base.encode(
        x=alt.X("severity:Q").title("Severity (0: clean)").axis(tickMinStep=1, grid=False, format="d"),
        y=share("accuracy", "Test accuracy", zero=False),
        color=alt.Color("corruption:N")
        .scale(range=SERIES)
        .sort(None)
        .title(None)
        .legend(symbolType="stroke", symbolSize=300),
        strokeDash=alt.StrokeDash("corruption:N").scale(range=dashes).sort(None).title(None),
        tooltip=[
            alt.Tooltip("corruption:N"),
            alt.Tooltip("severity:Q"),
            alt.Tooltip("accuracy:Q", format=".1%"),
        ],
    )
    # An open point has a line around it and nothing in it, and so is its sign in the legend: a line.
    layers = alt.layer(
        clean, encoded.mark_line(), encoded.mark_point(size=20, filled=False, strokeDash=[1, 0])
    )
    return layers.properties(width="container", height=320)
