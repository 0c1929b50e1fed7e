"""What the gate judges: the tables of earlier stages, with what can be told from them in more columns."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.data.duplicates import Duplicates, find_duplicates
from ferflow.data.labelled import SPLITS
from ferflow.labels import EMOTIONS

_NONE: Final = -1


def judged_tables(
    samples: pd.DataFrame, splits: pd.DataFrame, rejects: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return the tables that the expectations about content are asked of, by name.

    Columns that are missing are not missed: what would be made of them is missing in turn.

    Args:
        samples: The samples table, without the columns that are not as they should be.
        splits: The splits table, likewise.
        rejects: The table of rejects, likewise.

    Returns:
        * `samples`: one row per sample, with its `split`, the `reason` why it has none, whichever of them
          it has (`placed`), its `smaller_side` in pixels, and the first image with its pixels (`copy_of`).
        * `held_out`: the samples of val and test, with one in another split that has their pixels
          (`leaked_from`).
        * `groups`: one row per image that several samples have, with the labels that contradict each other
          (`contradiction`).
        * `classes`: one row for each emotion and split, with the number of its `samples`.
        * `files`: all samples and all defective rejects, with the `reason` of the latter.
        * `whole`: one row of what concerns the data as a whole.

        A null means that there is nothing to say. Rows are named by their column `source`.
    """
    whole: dict[str, float] = {"misplaced": _misplaced(samples, splits)}
    table = samples.reset_index(drop=True)
    if whole["misplaced"] == 0:
        table = table.assign(
            **{name: splits[name].to_numpy() for name in ("split", "reason") if name in splits}
        )
    names = name_rows(table)
    tables = {"samples": table, "files": _files(names, rejects)}
    if {"width", "height"} <= set(table):
        table["smaller_side"] = table[["width", "height"]].min(axis=1)
    if {"split", "reason"} <= set(table):
        table["placed"] = table["split"].fillna(table["reason"])
    if "split" in table:
        whole["used"] = int(table["split"].notna().sum())
    if {"split", "label"} <= set(table):
        tables["classes"] = _classes(table)
        whole |= _class_ratio(tables["classes"])
    if {"split", "mean"} <= set(table):
        whole |= _drift(table)
    if {"sha256", "label"} <= set(table):
        copies = find_duplicates(table["sha256"].fillna(names), table["label"])
        table["copy_of"] = _copy_of(names, copies)
        tables["groups"] = _groups(names, table["label"], copies)
        if "split" in table:
            tables["held_out"] = _held_out(names, table["split"], copies)
    return tables | {"whole": pd.DataFrame({name: [value] for name, value in whole.items()})}


def _misplaced(samples: pd.DataFrame, splits: pd.DataFrame) -> int:
    """Return how many rows of the two tables do not name the same sample; all, if that cannot be told."""
    if len(samples) != len(splits) or not {"sample_id"} <= set(samples) & set(splits):
        return max(len(samples), len(splits))
    ours, theirs = (table["sample_id"].fillna("").to_numpy(dtype=object) for table in (samples, splits))
    return int((ours != theirs).sum())


def name_rows(table: pd.DataFrame) -> pd.Series:
    """Return what people know each row by: its `source`, or its number where there is none."""
    numbers = pd.Series([f"row {row}" for row in range(len(table))], dtype=object)
    if "source" not in table:
        return numbers
    return table["source"].reset_index(drop=True).astype(object).fillna(numbers)


def _files(names: pd.Series, rejects: pd.DataFrame) -> pd.DataFrame:
    # A CSV without rows has no types.
    defects = rejects[rejects["defect"].astype(bool)] if "defect" in rejects else rejects
    table = pd.DataFrame({"source": pd.concat([names, name_rows(defects)], ignore_index=True)})
    if {"reason", "defect"} <= set(rejects):
        reasons = defects["reason"].astype(object).fillna("no reason given")
        table["reason"] = [None] * len(names) + list(reasons)
    return table


def _classes(samples: pd.DataFrame) -> pd.DataFrame:
    counts = samples.value_counts(["label", "split"])
    pairs = [(label, split) for split in SPLITS for label in EMOTIONS]
    return pd.DataFrame(
        {
            "source": [f"{label} in {split}" for label, split in pairs],
            "split": [split for _, split in pairs],
            "samples": [int(counts.get(pair, 0)) for pair in pairs],
        }
    )


def _class_ratio(classes: pd.DataFrame) -> dict[str, float]:
    counts = classes.loc[(classes["split"] == "train") & (classes["samples"] > 0), "samples"]
    return {} if counts.empty else {"class_ratio": float(counts.max() / counts.min())}


def _drift(samples: pd.DataFrame) -> dict[str, float]:
    """Return by how many of train's standard deviations the brightness of val and test lies elsewhere.

    Three standard errors are taken off: a handful of images is always brighter or darker than the rest.
    """
    levels = {name: samples.loc[samples["split"] == name, "mean"].dropna() for name in SPLITS}
    spread = levels["train"].std(ddof=0)
    if not spread > 0:
        return {}
    drift = {}
    for name in ("val", "test"):
        if len(levels[name]):
            distance = abs(levels[name].mean() - levels["train"].mean()) / spread
            chance = 3 * np.sqrt(1 / len(levels[name]) + 1 / len(levels["train"]))
            drift[f"drift_{name}"] = float(max(distance - chance, 0.0))
    return drift


def _copy_of(names: pd.Series, copies: Duplicates) -> pd.Series:
    first = _first_rows(copies.group)[copies.group]
    return names.iloc[first].reset_index(drop=True).where(first != np.arange(len(names)), None)


def _groups(names: pd.Series, label: pd.Series, copies: Duplicates) -> pd.DataFrame:
    """Return one row for each image with copies; those under two labels with the first two of them."""
    first = _first_rows(copies.group)
    labels = label.to_numpy(dtype=object)
    differs = copies.contradictory & (labels != labels[first[copies.group]])
    other = _first_rows(copies.group, differs)
    shown = np.flatnonzero(copies.size[first] > 1)
    return pd.DataFrame(
        {
            "source": names.to_numpy()[first[shown]],
            "contradiction": [
                None if b == _NONE else f"{labels[a]}, but {labels[b]} as {names[b]}"
                for a, b in zip(first[shown], other[shown], strict=True)
            ],
        },
        dtype=object,
    )


def _held_out(names: pd.Series, splits: pd.Series, copies: Duplicates) -> pd.DataFrame:
    split = splits.to_numpy(dtype=object)
    first = {name: _first_rows(copies.group, split == name)[copies.group] for name in SPLITS}
    leak = np.full(len(split), _NONE)
    # Train last, so that it is what is named where a sample's pixels are in both other splits.
    for mine, other in (("val", "test"), ("test", "val"), ("val", "train"), ("test", "train")):
        leaks = (split == mine) & (first[other] != _NONE)
        leak[leaks] = first[other][leaks]
    rows = np.flatnonzero(np.isin(split, ("val", "test")))
    found = [None if other == _NONE else f"{names[other]} in {split[other]}" for other in leak[rows]]
    return pd.DataFrame({"source": names.to_numpy()[rows], "leaked_from": found}, dtype=object)


def _first_rows(
    group: npt.NDArray[np.int64], among: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.int64]:
    """Return the first row of each group `among` some rows, -1 where it has none there."""
    rows = np.arange(len(group)) if among is None else np.flatnonzero(among)
    first = np.full(group.max(initial=-1) + 1, _NONE)
    first[group[rows[::-1]]] = rows[::-1]
    return first
