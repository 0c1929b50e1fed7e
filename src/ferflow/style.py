"""The house style of every figure: one palette, one typography, the same bytes on every run.

Figures are made without pyplot: nothing is registered globally, no window system is asked for, and
a user's matplotlibrc has no influence.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from ferflow.files import atomic_file

INK: Final = "#1f2933"
MUTED: Final = "#66727f"
FAINT: Final = "#e3e8ed"

#: One colour per split in every figure, from the palette of Okabe and Ito (2008), which readers
#: with any form of colour blindness can tell apart.
SPLIT_COLORS: Final = {"train": "#999999", "val": "#0072b2", "test": "#d55e00"}

#: Nearly white to deep blue: one hue whose lightness falls steadily, so that it also reads in gray.
SEQUENTIAL: Final = LinearSegmentedColormap.from_list(
    "ferflow", ["#f4f7fa", "#d3e5f3", "#8fbfe0", "#3f8fc5", "#0b5a96", "#06365f"]
)

_DPI: Final = 200  # twice the size at which browsers show them: sharp on high-density screens
_COLORS: Final = 128  # of a chart's palette
_HEADER: Final = 0.68  # inches kept for title and subtitle
_MARGIN: Final = 0.16  # inches around everything

_STYLE: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",  # shipped with matplotlib: the same on every machine
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 5,
    "ytick.major.pad": 5,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Apply the house style while a figure is drawn; usable as a decorator of a drawing function."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def new_figure(width: float, height: float, title: str, subtitle: str) -> Figure:
    """Return an empty figure with a title and a subtitle; what is added fills the space below.

    Args:
        width: Of the whole figure, in inches.
        height: Of what stands below the header, in inches.
        title: What is shown, in a few words.
        subtitle: How to read it, or its main numbers, in one line.
    """
    total = height + _HEADER
    layout = ConstrainedLayoutEngine(
        rect=(_MARGIN / width, _MARGIN / total, 1 - 2 * _MARGIN / width, (height - _MARGIN) / total),
        w_pad=0.04,
        h_pad=0.04,
        wspace=0.06,
    )
    figure = Figure(figsize=(width, total), dpi=_DPI, layout=layout)
    FigureCanvasAgg(figure)
    left = _MARGIN / width
    figure.text(left, 1 - 0.17 / total, title, va="top", fontsize=13, fontweight="bold")
    figure.text(left, 1 - 0.44 / total, subtitle, va="top", color=MUTED)
    return figure


def remove_frame(axes: Axes) -> None:
    """Take away the spines and the grid of `axes`."""
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)


def name_rows(axes: Axes, names: Sequence[str], notes: Sequence[str], *, bold: int | None = None) -> None:
    """Write beside each row of `axes` its name, and below it a note in small; `bold` is one row."""
    axes.set_yticks(range(len(names)))
    axes.tick_params(axis="y", labelleft=False)
    for row, (name, note) in enumerate(zip(names, notes, strict=True)):
        at: dict[str, Any] = {
            "xy": (0, row),
            "xycoords": axes.get_yaxis_transform(),
            "textcoords": "offset points",
        }
        weight = "bold" if row == bold else "normal"
        axes.annotate(name, xytext=(-8, 1), ha="right", fontweight=weight, **at)
        axes.annotate(note, xytext=(-8, -10), ha="right", fontsize=7.5, color=MUTED, **at)


def name_columns(axes: Axes, names: Sequence[str], notes: Sequence[str]) -> None:
    """Write below each column of `axes` its name, and below that a note in small."""
    axes.set_xticks(range(len(names)))
    axes.tick_params(axis="x", labelbottom=False)
    for column, (name, note) in enumerate(zip(names, notes, strict=True)):
        at: dict[str, Any] = {
            "xy": (column, 0),
            "xycoords": axes.get_xaxis_transform(),
            "textcoords": "offset points",
        }
        axes.annotate(name, xytext=(0, -15), ha="center", **at)
        axes.annotate(note, xytext=(0, -26), ha="center", fontsize=7.5, color=MUTED, **at)


def printable(text: str) -> str:
    """Return `text` as one line that the house's font can draw; other characters become `□`.

    For names that people choose: a missing glyph would be a warning, a dollar sign mathematics.
    """
    known = _drawable()
    return "".join(
        character if ord(character) in known else "□" for character in " ".join(text.split())
    ).replace("$", r"\$")


def percent(share: float) -> str:
    """Return a share as a whole percentage that says 0% or 100% only where it is meant."""
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def save_png(path: Path, figure: Figure, *, photographs: bool = False) -> None:
    """Write `figure` as PNG, whole or not at all; equal figures give equal bytes.

    Args:
        path: The file.
        figure: What to write.
        photographs: It shows more than charts: all its colours are kept. A chart is written in a palette,
            which no eye can tell apart and which is a third in size: charts are kept in git.
    """
    drawn = io.BytesIO()
    with house_style():
        figure.savefig(drawn, format="png", dpi=_DPI, pil_kwargs={"compress_level": 0})
    picture = Image.open(drawn).convert("RGB")
    if not photographs:
        picture = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=_COLORS)
    with atomic_file(path) as temporary:
        picture.save(temporary, format="png")


@functools.cache
def _drawable() -> frozenset[int]:
    return frozenset(get_font(findfont(_STYLE["font.family"])).get_charmap())
