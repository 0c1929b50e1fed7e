"""The sheet of the images that show what is wrong with a data set. It shows faces: see `sheets`."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ferflow import style
from ferflow.data.arrays import Images
from ferflow.data.explanation.charts import SPLIT_NAMES
from ferflow.data.explanation.worst import Defect, Exhibit, Name

_COLUMNS: Final = 6
# In inches, the unit of the sheet's only axes.
_WIDTH: Final = 9.2
_FACE: Final = 0.98
_PADDING: Final = 0.24  # of the figure, around the axes
_LINE: Final = 0.135
_HEADING: Final = 0.34  # of a defect, above its faces
_ROW: Final = _FACE + 3 * _LINE + 0.22
# What fits in the width of a column.
_LETTERS: Final = 24  # of a name
_MOST_LABELS: Final = 2


@style.house_style()
def worst_sheet(images: Images, defects: list[Defect], dataset: str) -> Figure:
    """Return a sheet with a section for each defect: its images, with their labels and names.

    Args:
        images: uint8 of shape (N, S, S, 1).
        defects: At least one, as `worst.find_worst` returns them.
        dataset: The data set's name.
    """
    height = sum(_HEADING + _rows(defect) * _ROW for defect in defects)
    figure = style.new_figure(
        9.6,
        height + _PADDING,
        f"{style.printable(dataset)}: what is wrong with it",
        "each image once, with its labels, how often it occurs, and one or two of its names",
    )
    axes = figure.add_subplot()
    style.remove_frame(axes)
    axes.set(xticks=[], yticks=[])
    _legend(figure)
    top = 0.0
    for defect in defects:
        axes.text(0, top + 0.12, defect.title, fontsize=9.5, fontweight="bold", va="center")
        axes.text(_WIDTH, top + 0.12, defect.note, fontsize=8, color=style.MUTED, va="center", ha="right")
        axes.hlines(top + 0.25, 0, _WIDTH, color=style.FAINT, linewidth=0.8)
        for place, exhibit in enumerate(defect.exhibits):
            down, across = divmod(place, _COLUMNS)
            left = across * _WIDTH / _COLUMNS
            _draw(axes, images, exhibit, left, top + _HEADING + down * _ROW)
        top += _HEADING + _rows(defect) * _ROW
    # After the pictures, each of which would set the limits to its own.
    axes.set_xlim(0, _WIDTH)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal")
    return figure


def shorten(source: str) -> str:
    """Return the end of a name that fits below a face: as many whole parts of its path as it can hold."""
    parts = source.split("/")
    for first in range(len(parts)):
        if len(end := "/".join(parts[first:])) <= _LETTERS:
            return end
    return "…" + source[1 - _LETTERS :]


def _rows(defect: Defect) -> int:
    return -(-len(defect.exhibits) // _COLUMNS)


def _draw(axes: Axes, images: Images, exhibit: Exhibit, left: float, top: float) -> None:
    extent = (left, left + _FACE, top + _FACE, top)
    picture = images[exhibit.row, :, :, 0]
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="bilinear", extent=extent)
    below = top + _FACE + 0.1
    many = len(exhibit.labels) > _MOST_LABELS
    labels = f"{len(exhibit.labels)} labels" if many else ", ".join(exhibit.labels)
    labels += f"  ×{exhibit.samples}" if exhibit.samples > 1 else ""
    axes.text(left, below, labels, fontsize=7, fontweight="bold", va="center")
    for line, name in enumerate(exhibit.names, start=1):
        _name(axes, left, below + line * _LINE, name)


def _name(axes: Axes, left: float, middle: float, name: Name) -> None:
    color = style.SPLIT_COLORS[name.split] if name.split else style.FAINT
    axes.text(left, middle, "■", fontsize=6.5, color=color, va="center")
    axes.text(left + 0.11, middle, style.printable(shorten(name.source)), fontsize=6.5, va="center")


def _legend(figure: Figure) -> None:
    look: dict[str, Any] = {"marker": "s", "linestyle": "none", "markersize": 5}
    markers = [
        Line2D([], [], color=style.SPLIT_COLORS[split], label=name, **look)
        for split, name in SPLIT_NAMES.items()
    ]
    figure.legend(
        handles=markers,
        loc="upper right",
        bbox_to_anchor=(1 - 0.15 / figure.get_figwidth(), 1 - 0.35 / figure.get_figheight()),
        ncols=len(markers),
        handletextpad=0.1,
        columnspacing=1.2,
        borderaxespad=0,
    )
