"""The frame in which `dvc plots` draws, with Vega inside it: `python -m ferflow.page.dvc_plots FILE`.

DVC's own frame fetches Vega from a server at every look. This one asks nobody and opens anywhere; it is used
where `plots.html_template` of DVC's configuration names the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from ferflow.files import write_text
from ferflow.page.vega import vega_script

#: DVC puts the plots in the place of `{plot_divs}`; without `{scripts}` its own addresses have no place.
_FRAME: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DVC plots</title>
{refresh_tag}
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 1.5rem; background: #ffffff; color: #1f2933; }
body > div { overflow-x: auto; }
table { border-spacing: 1rem; }
img { max-width: 100%; }
</style>
<script>VEGA</script>
</head>
<body>
<main>
{plot_divs}
</main>
</body>
</html>
"""


def template() -> str:
    """Return the frame with Vega, Vega-Lite and Vega-Embed inside it."""
    return _FRAME.replace("VEGA", vega_script())


def main() -> None:
    """Write the frame to the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="where it is written")
    write_text(parser.parse_args().file, template())


if __name__ == "__main__":
    main()
