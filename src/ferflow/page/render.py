"""The page itself: one file that opens from disk and asks nothing of any server."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from ferflow.files import write_text
from ferflow.labels import EMOTIONS
from ferflow.page import charts, findings, matrices, text
from ferflow.page.card_html import card_html
from ferflow.page.chart_style import CONFIG
from ferflow.page.environment import environment
from ferflow.page.inputs import Inputs
from ferflow.page.model_card import as_yaml
from ferflow.page.rows import chart_rows, on_front
from ferflow.page.vega import vega_script

#: Whose versions the page states: what made the data, the numbers and the page itself.
_PACKAGES: Final = (
    *("altair", "dvc", "great-expectations", "jinja2", "keras", "markdown-it-py", "matplotlib", "mlflow"),
    *("numpy", "pandas", "pillow", "pyarrow", "scikit-learn", "scipy", "tensorflow", "vl-convert-python"),
)


def write_page(path: Path, inputs: Inputs, card: str) -> None:
    """Write the page as one HTML file, whole or not at all; equal inputs give equal bytes.

    Args:
        path: The file, e.g. `index.html`.
        inputs: Everything that it shows.
        card: The champion's model card, which is part of it.
    """
    write_text(path, page_html(inputs, card))


def page_html(inputs: Inputs, card: str) -> str:
    """Return the page as HTML: scripts, style, data and pictures are part of it."""
    runtime, script = vega_script(), _resource("page.js")
    rows = chart_rows(inputs)
    drawn = {"config": CONFIG, "charts": charts.specifications(), "rows": rows}
    kinds = list(dict.fromkeys(rows["cost"]["kind"]))
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            inputs=inputs,
            champion=inputs.champion,
            data=inputs.data,
            gate=inputs.gate,
            findings=findings,
            matrices=matrices,
            emotions=EMOTIONS,
            card=card_html(card),
            cost_kinds=kinds,
            front=text.listed(on_front(rows["cost"], kinds[0])),
            versions=_versions(),
            style=Markup(_resource("page.css")),  # noqa: S704 (our own file)
            runtime=Markup(runtime),  # noqa: S704 (Vega)
            script=Markup(script),  # noqa: S704 (our own file)
            hashes=[_hash(runtime), _hash(script)],
            drawn=json_for_script(drawn),
        )
    )


def json_for_script(value: Any) -> Markup:
    """Return `value` as JSON that can stand in a script element: nothing in it ends the element."""
    plain = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        plain = plain.replace(character, f"\\u{ord(character):04x}")
    return Markup(plain)  # noqa: S704 (escaped in the way of scripts above)


@functools.cache
def _environment() -> Environment:
    templates = environment(autoescape=True)
    templates.filters |= {"yaml": as_yaml, "breakable": _breakable}
    return templates


def _breakable(name: str) -> Markup:
    """Return a name that may be broken after an underscore, where a column is narrow."""
    return Markup("_<wbr>").join(name.split("_"))


def _hash(code: str) -> str:
    """Return what the page's policy knows a script by: no other one runs."""
    return f"sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}"


def _resource(name: str) -> str:
    return files("ferflow.page").joinpath(name).read_text(encoding="utf-8")


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
