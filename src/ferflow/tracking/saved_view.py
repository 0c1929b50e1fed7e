"""What the MLflow UI shows first: a saved view of an experiment, with the columns and charts that compare.

MLflow's own choice of columns has no metric in it. A view that someone saves in the UI is a tag of the
experiment, so one can be saved from here, and opened by its address or from the menu *Views*.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from ferflow.tracking.store import Store

#: How the view is found in an address: `?viewStateShareKey=…`.
VIEW: Final = "ferflow"

#: Else the UI shows the pages for prompts and agents.
_TRAINING: Final = "workflowType=machine_learning"
_NAME: Final = "Which is best, and why"
_TAG: Final = f"mlflow.sharedViewState.{VIEW}"
_ORDER: Final = "val/macro_f1"
_COLUMNS: Final = (
    ("attributes", "Models"),
    ("metrics", _ORDER),
    ("metrics", "test/macro_f1"),
    ("metrics", "test/accuracy"),
    ("metrics", "test/accuracy_low"),
    ("metrics", "test/accuracy_high"),
    ("metrics", "test/calibration_error"),
    ("metrics", "cost/parameters"),
    ("metrics", "cost/milliseconds_per_image_at_batch_1"),
    ("metrics", "cost/training_seconds"),
    ("params", "budget"),
    ("params", "batch_size"),
    ("params", "optimizer.name"),
)
#: What stands in front of them: the box to tick, name, age and duration.
_FIRST: Final = ("1", "attributes.`Run Name`", "runDateAndNestInfo", "duration")
_PIXELS_A_LETTER: Final = 8

#: Charts by section: what is best, why (how it learnt), and at what price.
_SCORES: Final = (_ORDER, "test/macro_f1", "test/accuracy")
_CURVES: Final = ("epoch/val_accuracy", "epoch/val_loss", "epoch/train_accuracy", "epoch/learning_rate")
_PRICES: Final = ("cost/milliseconds_per_image_at_batch_1", "cost/parameters", "cost/training_seconds")

_DESCRIPTION: Final = """\
ferflow on the data set `{dataset}`: open the view **{view}** in the menu *Views*, its table, then its charts.

* There is one run for each training, known by its tag `fingerprint` (recipe, data, code, seed, device,
  library versions), and one for each ensemble.
* They are ordered by `val/macro_f1`, by which the champion is chosen; `test/…` is for the report alone.
* `epoch/…` are the curves of a training, `cost/…` what a model costs, `…_low` and `…_high` the ends of 95 %
  intervals.
* A run's description says how to make it again; its artifacts hold report and figures.
"""


def save_view(store: Store, dataset: str) -> None:
    """Save the view in the experiment, and describe the experiment; what people have written stays.

    Args:
        store: An open store.
        dataset: The name of the data set that the experiment is about.
    """
    tags = {
        # As MLflow's own UI writes a saved view: the state is text within the text.
        _TAG: json.dumps({"name": _NAME, "createdAt": 0, "updatedAt": 0, "state": json.dumps(_state())}),
        "mlflow.note.content": _DESCRIPTION.format(dataset=dataset, view=_NAME),
        # Else the UI opens the experiment as one of prompts and agents.
        "mlflow.experimentKind": "custom_model_development",
    }
    present = store.client.get_experiment(store.experiment_id).tags
    for name, value in tags.items():
        if present.get(name) != value and _is_ours(present.get(name, "")):
            store.client.set_experiment_tag(store.experiment_id, name, value)


def view_address(base: str, experiment_id: str, *, charts: bool = False) -> str:
    """Return the address of the view in the MLflow UI.

    Args:
        base: Of the server, e.g. `http://127.0.0.1:5000`.
        experiment_id: The experiment.
        charts: The view's charts instead of its table.
    """
    mode = "&compareRunsMode=CHART" if charts else ""
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{_TRAINING}&viewStateShareKey={VIEW}{mode}"


def _is_ours(value: str) -> bool:
    """Return whether a tag is missing, or an earlier version's: what the UI saves has the time of it."""
    return not value or value.startswith(_DESCRIPTION[:20]) or '"updatedAt": 0' in value


def _state() -> dict[str, Any]:
    columns = [f"{kind}.`{name}`" for kind, name in _COLUMNS]
    charts, sections = _charts()
    return {
        "searchFilter": "",
        "orderByKey": f"metrics.`{_ORDER}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        # Else the UI sorts them by name.
        "columnOrder": [*_FIRST, *columns],
        "columnWidths": {
            column: 40 + _PIXELS_A_LETTER * len(name)
            for column, (_, name) in zip(columns, _COLUMNS, strict=True)
        },
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": charts,
        "compareRunSections": sections,
        "viewMaximized": False,
        "runListHidden": False,
        # Else the UI puts the sections into alphabetical order.
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }


def _charts() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    sections = {
        "Which is best": [_bar(name) for name in _SCORES],
        "How it learnt": [_line(name) for name in _CURVES],
        "At what price": [
            _scatter("cost/milliseconds_per_image_at_batch_1", _ORDER),
            *(_bar(name) for name in _PRICES),
        ],
        "What was tried": [_parallel(("batch_size", "optimizer.name"), (_ORDER, "test/accuracy"))],
    }
    charts = [
        {
            "uuid": f"{VIEW}-{number}-{place}",
            "metricSectionId": f"{VIEW}-{number}",
            "deleted": False,
            "isGenerated": False,
            **chart,
        }
        for number, (_, members) in enumerate(sections.items())
        for place, chart in enumerate(members)
    ]
    listed = [
        {
            "uuid": f"{VIEW}-{number}",
            "name": name,
            "display": True,
            "isReordered": True,
            "deleted": False,
            "isGenerated": False,
        }
        for number, name in enumerate(sections)
    ]
    return charts, listed


def _bar(metric: str) -> dict[str, Any]:
    return {"type": "BAR", "metricKey": metric, "displayName": metric, "runsCountToCompare": 20}


def _line(metric: str) -> dict[str, Any]:
    return {
        "type": "LINE",
        "metricKey": metric,
        "displayName": metric,
        "runsCountToCompare": 20,
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "range": {},
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }


def _scatter(x: str, y: str) -> dict[str, Any]:
    return {
        "type": "SCATTER",
        "displayName": f"{y} against {x}",
        "xaxis": {"key": x, "type": "METRIC"},
        "yaxis": {"key": y, "type": "METRIC"},
        "runsCountToCompare": 100,
    }


def _parallel(params: Iterable[str], metrics: Iterable[str]) -> dict[str, Any]:
    return {
        "type": "PARALLEL",
        "displayName": "params and scores",
        "selectedParams": list(params),
        "selectedMetrics": list(metrics),
        "showAllRuns": False,
        "runsCountToCompare": 100,
    }
