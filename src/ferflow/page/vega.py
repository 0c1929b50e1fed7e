"""Vega, Vega-Lite and Vega-Embed as a script that can be part of a page: no address to fetch."""

from __future__ import annotations

import functools

import vl_convert


@functools.cache
def vega_script() -> str:
    """Return a script that defines `vegaEmbed`; nothing in it ends the element in which it stands."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("this version of vl-convert-python has a script that cannot be embedded")
    return script
