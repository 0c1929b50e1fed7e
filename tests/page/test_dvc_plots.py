from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from ferflow.page import dvc_plots


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
