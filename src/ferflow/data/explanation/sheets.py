"""The pictures of a data set that show faces. Functions take values and return a figure.

They are never committed: the faces of most data sets, FER-2013's among them, may not be published.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ferflow import style
from ferflow.data.arrays import Images
from ferflow.data.explanation.markdown import count
from ferflow.data.explanation.mosaic import mosaic, pitch_of
from ferflow.labels import EMOTIONS, label_index

_Faces = npt.NDArray[np.float64]

_CHUNK_BYTES: Final = 2**24  # read at a time: memory does not grow with the number of images
_PER_EMOTION: Final = 10  # faces in a row of the sheet of samples
_LEAST_DIFFERENCE: Final = 1.0  # gray levels; without it, rounding would be blown up to a picture

#: Darker than the mean of all emotions in one colour, brighter in another; both readable by the colour-blind.
_DIFFERENCE: Final = LinearSegmentedColormap.from_list(
    "ferflow_difference", [style.SPLIT_COLORS["val"], "#ffffff", style.SPLIT_COLORS["test"]]
)


def mean_faces(images: Images, label: pd.Series, chosen: npt.NDArray[np.bool_]) -> tuple[_Faces, list[int]]:
    """Return the mean face of each emotion, and of how many images it is.

    Args:
        images: uint8 of shape (N, S, S, 1), usually a memory map; read once, in chunks.
        label: The label of each image.
        chosen: Which images count, bool of shape (N,).

    Returns:
        Float64 of shape (7, S, S) in gray levels, zero for an emotion without images, and the counts.
    """
    number = label.map(label_index).to_numpy(dtype=np.int64)
    sums = np.zeros((len(EMOTIONS), *images.shape[1:3]), dtype=np.int64)
    step = max(_CHUNK_BYTES // images[:1].nbytes, 1)
    for start in range(0, len(images), step):
        chunk = images[start : start + step, :, :, 0]
        place = np.where(chosen, number, -1)[start : start + step]
        for emotion in np.unique(place[place >= 0]):
            sums[emotion] += chunk[place == emotion].sum(axis=0, dtype=np.int64)
    counts = np.bincount(number[chosen], minlength=len(EMOTIONS))
    return sums / np.maximum(counts, 1)[:, None, None], counts.tolist()


@style.house_style()
def mean_faces_sheet(means: _Faces, counts: list[int], dataset: str) -> Figure:
    """Return the mean face of each emotion, and below it how it differs from the mean of all.

    Args:
        means: Shape (7, S, S), in gray levels, as `mean_faces` returns it.
        counts: Of how many images each is; an emotion with none is left white.
        dataset: The data set's name.
    """
    figure = style.new_figure(
        9.6,
        3.1,
        f"{style.printable(dataset)}: the mean face of each emotion",
        "train split  ·  below: brighter (orange) and darker (blue) than the mean of the emotions",
    )
    present = np.array(counts) > 0
    differences = means - (means[present].mean(axis=0) if present.any() else 0)
    shown = means[present] if present.any() else means
    largest = max(float(np.abs(differences[present]).max(initial=0)), _LEAST_DIFFERENCE)
    panels = figure.subplots(2, len(EMOTIONS))
    for place, emotion in enumerate(EMOTIONS):
        above, below = panels[:, place]
        for axes in (above, below):
            style.remove_frame(axes)
            axes.set(xticks=[], yticks=[])
        above.set_title(emotion, loc="center")
        below.set_xlabel(count(counts[place], "image") if counts[place] else "none")
        if present[place]:
            above.imshow(
                means[place], cmap="gray", vmin=shown.min(), vmax=shown.max(), interpolation="bilinear"
            )
            below.imshow(
                differences[place], cmap=_DIFFERENCE, vmin=-largest, vmax=largest, interpolation="bilinear"
            )
        else:
            for axes in (above, below):
                axes.set_box_aspect(1)
    return figure


def draw_samples(label: pd.Series, chosen: npt.NDArray[np.bool_], seed: int) -> dict[str, list[int]]:
    """Return for each emotion the rows of ten images, or of all where there are fewer.

    Each emotion is drawn by itself: one that is missing leaves the others as they are.

    Args:
        label: The label of each image.
        chosen: Which images may be drawn, bool of shape (N,).
        seed: Decides which are.
    """
    rows = {}
    for emotion in EMOTIONS:
        candidates = np.flatnonzero(chosen & (label == emotion).to_numpy(dtype=bool))
        generator = np.random.default_rng([seed, label_index(emotion)])
        count = min(_PER_EMOTION, len(candidates))
        rows[emotion] = sorted(generator.choice(candidates, count, replace=False).tolist())
    return rows


@style.house_style()
def samples_sheet(images: Images, rows: dict[str, list[int]], dataset: str) -> Figure:
    """Return a sheet of faces, a row for each emotion.

    Args:
        images: uint8 of shape (N, S, S, 1).
        rows: The images of each emotion, as `draw_samples` returns them.
        dataset: The data set's name.
    """
    figure = style.new_figure(
        9.6,
        6.3,
        f"{style.printable(dataset)}: samples",
        f"drawn from train, {_PER_EMOTION} of each emotion where there are as many",
    )
    axes = figure.add_subplot()
    cells = [rows[emotion] for emotion in EMOTIONS]
    _show(axes, mosaic(images, cells, columns=_PER_EMOTION))
    pitch = pitch_of(images)
    middles = [place * pitch + (images.shape[1] - 1) / 2 for place in range(len(EMOTIONS))]
    axes.set_yticks(middles, EMOTIONS)
    axes.tick_params(axis="y", labelcolor=style.INK)
    for middle, of_emotion in zip(middles, cells, strict=True):
        if not of_emotion:
            axes.text(0, middle, "no images", va="center_baseline", color=style.MUTED)
    return figure


def _show(axes: Axes, picture: Images) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    style.remove_frame(axes)
    axes.set_xticks([])
