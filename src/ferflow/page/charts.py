"""The charts of the page as Vega-Lite specifications without data: one of each, for any number of models."""

from __future__ import annotations

import functools
from typing import Any

import altair as alt

from ferflow.labels import EMOTIONS
from ferflow.page import model_charts
from ferflow.page.chart_style import PERCENT, ROWS, SERIES, SPLITS, Drawing, Spec, share


@functools.cache
def specifications() -> dict[str, Spec]:
    """Return every chart by its name; each draws the rows that `ferflow.page.rows` has for that name.

    They are shared, and not to be changed.
    """
    drawn: dict[str, Drawing] = {
        "cost": _cost(),
        "robustness_of_models": _robustness_of_models(),
        "counts": _counts(),
        "loss": model_charts.curve("loss", "Loss", alt.Axis(format="~g")),
        "accuracy": model_charts.curve("accuracy", "Accuracy", alt.Axis(format=PERCENT)),
        "learning_rate": model_charts.learning_rate(),
        "reliability": model_charts.reliability(),
        "confidence": model_charts.confidence(),
        "precision_recall": model_charts.precision_recall(),
        "robustness": model_charts.robustness(),
    }
    return {name: _as_values(chart) for name, chart in drawn.items()}


def _as_values(chart: Drawing) -> Spec:
    values: Spec = chart.to_dict()
    for key in ("config", "$schema"):
        values.pop(key, None)
    return values


def _cost() -> Drawing:
    kind = alt.param(name="cost", value="FLOPs")
    chosen = alt.Chart(ROWS).transform_filter("datum.kind === cost")
    x = (
        alt.X("cost:Q")
        .scale(type="log", nice=False, padding=24)
        .title(None)
        .axis(format=".3~s", grid=False, labelOverlap="greedy", labelSeparation=20)
    )
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("accuracy:Q", format=".1%"),
        alt.Tooltip("interval:N", title="95% interval"),
        alt.Tooltip("shown:N", title="cost"),
        alt.Tooltip("on the front:N"),
    ]
    front = (
        chosen.transform_filter("datum.front")
        .mark_line(interpolate="step-after", color="var(--accent)", strokeWidth=1.5, opacity=0.7)
        .encode(x=x, y=share("accuracy", "Test accuracy", zero=False, nice=True))
    )
    bars = chosen.mark_rule(strokeWidth=1.5, opacity=0.55).encode(x=x, y="low:Q", y2="high:Q")
    color = alt.condition("datum.front", alt.value("var(--accent)"), alt.value("var(--soft)"))
    points = chosen.mark_point(size=90).encode(
        x=x,
        y="accuracy:Q",
        color=color,
        shape=alt.condition("datum.rank === 1", alt.value("diamond"), alt.value("circle")),
        size=alt.condition("datum.rank === 1", alt.value(170), alt.value(80)),
        tooltip=tooltip,
    )
    # Neighbours in rank are often neighbours here: their numbers keep apart.
    beside: dict[str, Any] = {
        "align": alt.ExprRef("datum.rank % 4 < 2 ? 'left' : 'right'"),
        "dx": alt.ExprRef("datum.rank % 4 < 2 ? 8 : -8"),
        "dy": alt.ExprRef("datum.rank % 2 ? -9 : 11"),
    }
    labels = chosen.mark_text(fontSize=12, **beside).encode(
        x=x, y="accuracy:Q", text="label:N", tooltip=tooltip
    )
    layers = alt.layer(front, bars, points, labels).add_params(kind)
    return layers.properties(width="container", height=340)


def _robustness_of_models() -> Drawing:
    chart: alt.Chart = (
        alt.Chart(ROWS)
        .mark_line(point=alt.OverlayMarkDef(size=30))
        .encode(
            x=alt.X("severity:Q").title("Severity").axis(tickMinStep=1, grid=False, format="d"),
            y=share("accuracy", "Test accuracy, mean over damages", zero=False),
            detail="model:N",
            # The seventh group is of all others.
            color=alt.Color("group:N", sort=alt.EncodingSortField("place", op="min"))
            .scale(range=[*SERIES[:6], "var(--soft)"])
            .title(None),
            opacity=alt.condition("datum.group === 'others'", alt.value(0.5), alt.value(1)),
            tooltip=[
                alt.Tooltip("model:N"),
                alt.Tooltip("severity:Q"),
                alt.Tooltip("accuracy:Q", format=".1%"),
            ],
        )
        .properties(width="container", height=320)
    )
    return chart


def _counts() -> Drawing:
    chart: alt.Chart = (
        alt.Chart(ROWS)
        .mark_bar(height={"band": 0.72})
        .encode(
            y=alt.Y("label:N").sort(list(EMOTIONS)).title(None).axis(grid=False, labelColor="var(--ink)"),
            x=alt.X("count:Q").title("Images").axis(format="~s", tickCount=5),
            color=alt.Color("split:N")
            .scale(domain=list(SPLITS), range=list(SPLITS.values()))
            .title(None)
            .legend(labelExpr="{train: 'train', val: 'validation', test: 'test'}[datum.label]"),
            order="order:Q",
            tooltip=["label:N", "split:N", alt.Tooltip("count:Q", format=",")],
        )
        .properties(width="container", height=230)
    )
    return chart
