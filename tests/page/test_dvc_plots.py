from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import vl_convert
from ruamel.yaml import YAML

from ferflow.evaluation.training_curves import training_curves
from ferflow.page import dvc_plots

from . import invented_tables

ROOT = Path(__file__).parents[2]
PLOTS = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]


def test_dvc_fills_the_frame_and_adds_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new" / "dvc_plots.html"
    monkeypatch.setattr(sys, "argv", ["dvc_plots", str(file)])
    dvc_plots.main()
    document = importlib.import_module("dvc_render.html").HTML(file.read_text(encoding="utf-8"))
    document.with_scripts('<script src="https://cdn.jsdelivr.net/npm/vega@5"></script>')
    document.with_element("<p>a plot</p>")
    html = document.embed()
    assert "<main>\n<p>a plot</p>\n</main>" in html
    assert "jsdelivr" not in html
    assert "window.vegaEmbed=" in html.replace(" ", "")
    assert html.count("</script>") == 1


def test_the_frame_is_the_same_every_time() -> None:
    assert dvc_plots.template() == dvc_plots.template()


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: next(iter(plot)))
def test_a_plot_draws_a_line_for_each_model_and_revision(plot: dict[str, Any]) -> None:
    ((title, properties),) = plot.items()
    ((file, x),), ((same_file, y),) = properties["x"].items(), properties["y"].items()
    assert file == same_file
    history = invented_tables.history("head")
    histories = {"one": history, "two": history.assign(**{y: 0.9 * history[y]})}
    # As DVC reads a CSV file: every value is a text.
    rows = training_curves(histories).astype(str).to_dict("records")
    points = [{**row, "rev": revision} for revision in ("workspace", "HEAD~1") for row in rows]
    renderer = importlib.import_module("dvc_render").VegaRenderer(
        points,
        title,
        x=x,
        y=y,
        template=properties["template"],
        template_dir=str(ROOT / ".dvc" / "plots"),
        anchors_y_definitions=[{"filename": file, "field": y}],
    )
    filled = renderer.get_filled_template()
    assert "<DVC_METRIC" not in str(filled)
    drawn = vl_convert.vegalite_to_svg(filled)
    assert drawn.count('aria-roledescription="line mark"') == 4
    assert "NaN" not in drawn
