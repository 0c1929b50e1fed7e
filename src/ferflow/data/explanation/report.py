"""The files that explain a data set, written from its tables, its images and its numbers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ferflow.data.arrays import Images
from ferflow.data.explanation import charts, sheets
from ferflow.data.explanation.counts import counts_table
from ferflow.data.explanation.facts import Facts
from ferflow.data.explanation.page import FACES, page
from ferflow.data.explanation.worst import find_worst
from ferflow.data.explanation.worst_sheet import worst_sheet
from ferflow.files import atomic_folder, write_csv, write_json, write_text
from ferflow.style import save_png


def write_explanation(
    folder: Path, images: Images, samples: pd.DataFrame, split: pd.Series, facts: Facts, *, seed: int
) -> None:
    """Write everything that explains a data set into `folder`; other files there are left alone.

    `README.md` ties together `facts.json`, `counts.csv`, `counts.png`, `histograms.png`, and the pictures
    with faces in the folder `faces`: `mean_faces.png`, `samples.png`, and, if anything is wrong with the
    data, `worst.png`. Equal input gives equal bytes.

    Args:
        folder: Made if it is missing; `faces` in it is replaced as a whole.
        images: uint8 of shape (N, S, S, 1), usually a memory map.
        samples: The samples table, a row for each image.
        split: The split of each sample, in the same order; null for samples in none.
        facts: The numbers of the data set.
        seed: Decides which samples are shown.
    """
    name = facts.origin.dataset
    with atomic_folder(folder / FACES) as faces:
        pictures = _write_faces(faces, images, samples, split, facts, seed)
    save_png(folder / "counts.png", charts.counts_chart(facts.as_used, name))
    histograms = charts.histograms(samples, split, dataset=name, min_pixel_std=facts.blank.min_pixel_std)
    save_png(folder / "histograms.png", histograms)
    write_csv(folder / "counts.csv", counts_table(facts.declared, facts.as_used))
    write_json(folder / "facts.json", facts.as_json())
    write_text(folder / "README.md", page(facts, pictures))


def _write_faces(
    folder: Path, images: Images, samples: pd.DataFrame, split: pd.Series, facts: Facts, seed: int
) -> list[str]:
    """Write the pictures with faces; return their names."""
    name = facts.origin.dataset
    train = (split == "train").to_numpy(dtype=bool, na_value=False)
    means, counts = sheets.mean_faces(images, samples["label"], train)
    rows = sheets.draw_samples(samples["label"], train, seed)
    figures = {
        "mean_faces.png": sheets.mean_faces_sheet(means, counts, name),
        "samples.png": sheets.samples_sheet(images, rows, name),
    }
    if defects := find_worst(samples, split, facts.blank.min_pixel_std):
        figures["worst.png"] = worst_sheet(images, defects, name)
    for picture, figure in figures.items():
        save_png(folder / picture, figure, photographs=True)
    return list(figures)
