"""The sheet of a model's most confident errors. It shows faces: it is never committed."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ferflow import style
from ferflow.data.arrays import Images
from ferflow.evaluation.outcomes import Outcomes
from ferflow.labels import EMOTIONS

_COLUMNS: Final = 4  # of a face and its overlay
_COLUMNS_OF_FACES: Final = 6  # where there are no overlays; a label is wider than a face
# In inches.
_WIDTH: Final = 9.2
_FACE: Final = 1.03
_NARROW: Final = 0.05  # between a face and its overlay
_WIDE: Final = 0.24  # to the next face
_ROW: Final = _FACE + 0.4
_EMPTY: Final = 0.5  # the height of a sheet without errors
_PADDING: Final = 0.24  # of the figure, around the axes

#: From nothing to the colour of predictions, ever brighter: on a gray face, and to the colour-blind, too.
_HEAT: Final = LinearSegmentedColormap.from_list(
    "ferflow_heat", [(0.84, 0.37, 0.0, 0.0), (0.84, 0.37, 0.0, 0.4), (1.0, 0.82, 0.25, 0.7)]
)


def choose_errors(outcomes: Outcomes, *, most: int = 24, most_alike: int = 3) -> npt.NDArray[np.intp]:
    """Return the places of the errors that the model is most sure of, the surest first.

    Args:
        outcomes: The samples of a split with truth and prediction.
        most: How many at most.
        most_alike: How many at most with the same actual and the same predicted emotion, so that one
            confusion does not hide the others.

    Returns:
        Places in `outcomes`. Of equally sure ones, the one whose sample id sorts first is first.
    """
    confidence = outcomes.probabilities.max(axis=1)
    taken: Counter[tuple[int, int]] = Counter()
    chosen: list[int] = []
    for place in np.argsort(-confidence, kind="stable").tolist():
        pair = (int(outcomes.actual[place]), int(outcomes.predicted[place]))
        if pair[0] != pair[1] and taken[pair] < most_alike and len(chosen) < most:
            taken[pair] += 1
            chosen.append(place)
    return np.array(chosen, dtype=np.intp)


@style.house_style()
def error_sheet(
    faces: Images,
    maps: npt.NDArray[np.float32] | None,
    outcomes: Outcomes,
    chosen: npt.NDArray[np.intp],
    model: str,
) -> Figure:
    """Return a sheet of errors: each face, what spoke for the prediction, both labels, the probability.

    Args:
        faces: The images of the errors, uint8 of shape (n, S, S, 1), in the order of `chosen`.
        maps: For each, how much its places speak for the predicted emotion, (n, S, S) in [0, 1]; None for
            a model that cannot say, whose faces are shown alone.
        outcomes: All samples of the test split.
        chosen: Places in `outcomes`, as `choose_errors` returns them.
        model: The model's name.

    Raises:
        ValueError: There is not one face, and one map, for each error.
    """
    if len(faces) != len(chosen) or (maps is not None and len(maps) != len(chosen)):
        raise ValueError(f"expected a face and a map for each of {len(chosen)} errors")
    columns = _COLUMNS_OF_FACES if maps is None else _COLUMNS
    rows = -(-len(chosen) // columns)
    figure = style.new_figure(
        9.6,
        (rows * _ROW or _EMPTY) + _PADDING,
        f"{style.printable(model)}: its most confident errors on the test split",
        _subtitle(outcomes, len(chosen), explained=maps is not None),
    )
    axes = figure.add_subplot()
    style.remove_frame(axes)
    axes.set(xticks=[], yticks=[])
    if rows:
        picture, corners = _mosaic(faces, maps, columns)
        axes.imshow(picture, interpolation="bilinear")
        for place, corner in zip(chosen.tolist(), corners, strict=True):
            _label(axes, outcomes, place, corner)
    else:
        axes.text(0, 0.5, "No error: every image of the test split is right.", va="center", fontsize=10)
    return figure


def _subtitle(outcomes: Outcomes, shown: int, *, explained: bool) -> str:
    errors = int((outcomes.actual != outcomes.predicted).sum())
    words = f"{shown:,} of {errors:,} errors on {len(outcomes.actual):,} images"
    if not shown:
        return words
    words += "  ·  actual → predicted emotion, and its probability"
    return words + ("  ·  tinted: what spoke for it (Grad-CAM)" if explained else "")


def _mosaic(
    faces: Images, maps: npt.NDArray[np.float32] | None, columns: int
) -> tuple[Images, list[tuple[int, int]]]:
    """Return all faces in one picture, which is much faster to draw, and where each one's label begins."""
    size = faces.shape[1]
    narrow, across, down, width = (
        round(inches * size / _FACE) for inches in (_NARROW, (_WIDTH + _WIDE) / columns, _ROW, _WIDTH)
    )
    pair = size if maps is None else 2 * size + narrow
    rows = -(-len(faces) // columns)
    # Small faces are placed to whole pixels: their last column may end beyond the width.
    width = max(width, (columns - 1) * across + pair)
    picture = np.full((rows * down, width, 3), 255, dtype=np.uint8)
    corners = []
    for number, face in enumerate(faces):
        top, left = number // columns * down, number % columns * across
        picture[top : top + size, left : left + size] = face
        if maps is not None:
            beside = left + size + narrow
            picture[top : top + size, beside : beside + size] = _tinted(face, maps[number])
        corners.append((left, top + size))
    return picture, corners


def _tinted(face: Images, heat: npt.NDArray[np.float32]) -> Images:
    color: npt.NDArray[np.float64] = _HEAT(heat)
    tint = color[..., 3:]
    tinted: npt.NDArray[np.float64] = face * (1 - tint) + 255 * color[..., :3] * tint
    return np.rint(tinted).astype(np.uint8)


def _label(axes: Axes, outcomes: Outcomes, place: int, corner: tuple[int, int]) -> None:
    actual, predicted = (EMOTIONS[labels[place]] for labels in (outcomes.actual, outcomes.predicted))
    probability = style.percent(float(outcomes.probabilities[place].max()))
    # The picture holds the room for its labels: the layout need not measure each of them.
    look: dict[str, Any] = {"fontsize": 8, "va": "baseline", "in_layout": False}
    first = axes.annotate(f"{actual} →", corner, (0, -13), textcoords="offset points", **look)
    axes.annotate(
        f" {predicted}  {probability}",
        (1, 0),
        xycoords=first,
        fontweight="bold",
        color=style.SPLIT_COLORS["test"],
        **look | {"va": "bottom"},
    )
