"""All models side by side: chosen on validation, reported on test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from tabulate import tabulate

from ferflow.errors import FerflowError
from ferflow.evaluation.leaderboard_rows import read_row
from ferflow.evaluation.outcomes import EVALUATED_SPLITS
from ferflow.evaluation.robustness import scores
from ferflow.evaluation.wording import magnitude
from ferflow.files import write_csv, write_text

#: What must be the same for all models, as messages call it.
_ALIKE: Final = {
    **{f"{split}_samples": f"{split} samples" for split in EVALUATED_SPLITS},
    "views": "views of an image",
}
_WORDS: Final = {"model", "architecture"}


def read(reports: Mapping[str, Path]) -> pd.DataFrame:
    """Return one row per model from the reports that the earlier stages wrote, not yet ranked.

    Args:
        reports: The report folder of each model and ensemble in params.yaml, in any order: `robustness.csv`,
            and what `read_row` reads. Other folders are not looked at: a model that was removed from the
            params leaves the leaderboard with the next run.

    Raises:
        FerflowError: A model's file is missing or not complete, or was written for another model,
            or the models were not measured on equally many samples, views of them and corruptions.
    """
    robustness = {name: scores.read(folder / "robustness.csv") for name, folder in reports.items()}
    scores.require_comparable(robustness)
    table = pd.DataFrame([read_row(reports[name], name, of_model) for name, of_model in robustness.items()])
    table["flops"] = table["flops"].astype("Int64")  # whole numbers, also beside one that is missing
    for column, what in _ALIKE.items():
        counts = dict(zip(table["model"], table[column], strict=True))
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            raise FerflowError(f"the models were measured on different {what} ({found}): run `dvc repro`.")
    return table


def rank(table: pd.DataFrame) -> pd.DataFrame:
    """Return the models from first to last with a column `rank` (1 is the champion).

    The highest validation macro-F1 is first; of equals the one with fewer parameters, then the one
    whose name sorts first. The test split has no influence.

    Args:
        table: One row per model, as `read` returns it.
    """
    ordered = table.sort_values(["val_macro_f1", "parameters", "model"], ascending=[False, True, True])
    ordered = ordered.reset_index(drop=True)
    ordered.insert(0, "rank", range(1, len(ordered) + 1))
    return ordered


def as_markdown(ranked: pd.DataFrame) -> str:
    """Return the leaderboard as a Markdown page: the champion, how it is chosen, the table."""
    champion = ranked.iloc[0]
    names = [f"{name} (near chance)" if lost else name for name, lost in _fates(ranked)]
    names[0] = f"**{champion.model} (champion{', near chance' if champion.near_chance else ''})**"
    shown = pd.DataFrame(
        {
            "rank": ranked["rank"],
            "model": names,
            "val macro-F1": _decimals(ranked["val_macro_f1"]),
            "test macro-F1 (95 %)": _with_interval(ranked, "test_macro_f1"),
            "test accuracy (95 %)": _with_interval(ranked, "test_accuracy"),
            "corrupted accuracy": _percentages(ranked["corrupted_accuracy"]),
            "calibration error": _decimals(ranked["test_calibration_error"]),
            "parameters": [magnitude(count) for count in ranked["parameters"]],
            "FLOPs": _flops(ranked),
            "architecture": ranked["architecture"],
            "input": [f"{size} px" for size in ranked["input_size"]],
            "epochs": ranked["epochs"],
        }
    )
    return (
        "# Leaderboard\n\n"
        f"{_alert(ranked)}"
        f"The champion is **{champion.model}**: the highest macro-F1 on the validation split "
        f"({champion.val_macro_f1:.3f}, {champion.val_samples:,} samples) of {_count(ranked)}. "
        "Of equals, the one with fewer parameters wins, then the one whose name sorts first. "
        f"The test split ({champion.test_samples:,} samples) is reported and chooses nothing; in brackets is "
        "the 95 % bootstrap interval. Which differences are real is in `comparisons.csv`."
        f"{_cross_fitted(ranked)}"
        f"{_seen(champion.views)}\n\n"
        f"{_tabulate(shown, 'pipe')}\n\n"
        "*Corrupted accuracy* is the mean over all corruptions and severities of "
        f"{champion.corrupted_samples:,} test images, of which {champion.model} gets "
        f"{100 * champion.corrupted_clean_accuracy:.1f}% right while they are not damaged. "
        "*Calibration error* is how far confidence and accuracy are apart on test. *FLOPs* are of one image"
        f"{' in one view' if champion.views > 1 else ''}. "
        f"*Near chance* is a model that is not shown to be better than {_constant(ranked)}.\n"
    )


def as_text(ranked: pd.DataFrame) -> str:
    """Return the leaderboard as a compact table for a terminal; `*` marks the champion."""
    names = [f"{name} !" if lost else name for name, lost in _fates(ranked)]
    shown = pd.DataFrame(
        {
            "#": ranked["rank"],
            "model": [f"{names[0]} *", *names[1:]],
            "val F1": _decimals(ranked["val_macro_f1"]),
            "test F1": _decimals(ranked["test_macro_f1"]),
            "test accuracy": _with_interval(ranked, "test_accuracy"),
            "corrupted": _percentages(ranked["corrupted_accuracy"]),
            "params": [magnitude(count) for count in ranked["parameters"]],
            "FLOPs": _flops(ranked),
        }
    )
    lines = [_tabulate(shown, "simple"), "* champion: the highest macro-averaged F1 on validation"]
    if ranked["near_chance"].any():
        lines.append(f"! near chance: not shown to be better than {_constant(ranked)}")
    if ranked["near_chance"].iloc[0]:
        lines.append(f"\nWARNING: {_warning(ranked)}")
    return "\n".join(lines)


def write(folder: Path, ranked: pd.DataFrame) -> None:
    """Write `leaderboard.csv` and `leaderboard.md` into `folder`."""
    write_csv(folder / "leaderboard.csv", ranked)
    write_text(folder / "leaderboard.md", as_markdown(ranked))


def _alert(ranked: pd.DataFrame) -> str:
    # GitHub draws this as a coloured box.
    return f"> [!WARNING]\n> **{_warning(ranked)}**\n\n" if ranked["near_chance"].iloc[0] else ""


def _warning(ranked: pd.DataFrame) -> str:
    name, accuracy = ranked["model"].iloc[0], _with_interval(ranked, "test_accuracy")[0]
    return (
        f"The champion {name} has learnt nothing that shows: its test accuracy of {accuracy} "
        f"is not shown to be better than {_constant(ranked)}. Do not use it."
    )


def _constant(ranked: pd.DataFrame) -> str:
    share = ranked["test_majority_share"].iloc[0]
    return f"always answering test's most frequent emotion ({share:.1%} right)"


def _fates(ranked: pd.DataFrame) -> Iterable[tuple[str, bool]]:
    return zip(ranked["model"], ranked["near_chance"], strict=True)


def _decimals(values: pd.Series) -> list[str]:
    return [f"{value:.3f}" for value in values]


def _percentages(values: pd.Series) -> list[str]:
    return [f"{value:.1%}" for value in values]


def _flops(ranked: pd.DataFrame) -> list[str]:
    return ["–" if pd.isna(count) else magnitude(count) for count in ranked["flops"]]


def _with_interval(ranked: pd.DataFrame, column: str) -> list[str]:
    ends = zip(ranked[column], ranked[f"{column}_low"], ranked[f"{column}_high"], strict=True)
    if column.endswith("accuracy"):
        return [f"{value:.1%} ({100 * low:.1f}–{100 * high:.1f})" for value, low, high in ends]
    return [f"{value:.3f} ({low:.3f}–{high:.3f})" for value, low, high in ends]


def _tabulate(shown: pd.DataFrame, style: str) -> str:
    return tabulate(
        shown.astype(str).to_numpy().tolist(),
        headers=list(shown.columns),
        tablefmt=style,
        colalign=["left" if column in _WORDS else "right" for column in shown.columns],
        disable_numparse=True,
    )


def _seen(views: int) -> str:
    return f" All probabilities are the mean over {views} views of an image." if views > 1 else ""


def _cross_fitted(ranked: pd.DataFrame) -> str:
    names = ", ".join(ranked.loc[ranked["cross_fitted"], "model"])
    if not names:
        return ""
    return (
        f" The validation score of {names} is by cross-fitting: of members that were chosen without the "
        "samples that they are scored on."
    )


def _count(ranked: pd.DataFrame) -> str:
    return "1 model" if len(ranked) == 1 else f"{len(ranked)} models"
