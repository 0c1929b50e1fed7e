"""The tables of invented reports, computed from invented answers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, recall_score

from ferflow.labels import EMOTIONS

CORRUPTIONS: Final = (
    *("noise", "blur", "mouth_covered", "eyes_covered", "brighter", "darker", "low_contrast", "rotation"),
    *("low_resolution", "jpeg"),
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def scores(actual: Integers, answers: Floats) -> dict[str, float | int]:
    predicted = answers.argmax(axis=1)
    accuracy = float((predicted == actual).mean())
    macro = float(f1_score(actual, predicted, average="macro", zero_division=0))
    second = np.argsort(answers, axis=1)[:, -2]
    return {
        "accuracy": accuracy,
        "accuracy_low": max(accuracy - 0.045, 0.0),
        "accuracy_high": min(accuracy + 0.045, 1.0),
        "balanced_accuracy": float(recall_score(actual, predicted, average="macro", zero_division=0)),
        "macro_f1": macro,
        "macro_f1_low": max(macro - 0.05, 0.0),
        "macro_f1_high": min(macro + 0.05, 1.0),
        "weighted_f1": float(f1_score(actual, predicted, average="weighted", zero_division=0)),
        "top2_accuracy": accuracy + float((second == actual).mean()),
        "log_loss": float(-np.log(answers[np.arange(len(actual)), actual]).mean()),
        "calibration_error": float(abs(answers.max(axis=1).mean() - accuracy)),
        "samples": len(actual),
    }


def comparisons(actual: Integers, answers: Mapping[str, Floats]) -> pd.DataFrame:
    rows = []
    for a, b in itertools.combinations(answers, 2):
        right = [answers[name].argmax(axis=1) == actual for name in (a, b)]
        only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
        difference = float(right[0].mean() - right[1].mean())
        p = float(np.exp(-60 * abs(difference)))
        ends = {"": 0.0, "_low": -0.05, "_high": 0.05}
        rows.append(
            {
                "model_a": a,
                "model_b": b,
                "samples": len(actual),
                **{f"accuracy_difference{end}": difference + by for end, by in ends.items()},
                **{f"macro_f1_difference{end}": difference + by for end, by in ends.items()},
                "only_a_right": only[0],
                "only_b_right": only[1],
                "p_value": p,
                "p_value_holm": min(1.0, 3 * p),
                "differs": 3 * p < 0.05,
            }
        )
    columns = [
        *("model_a", "model_b", "samples"),
        *(
            f"{metric}_difference{end}"
            for metric in ("accuracy", "macro_f1")
            for end in ("", "_low", "_high")
        ),
        *("only_a_right", "only_b_right", "p_value", "p_value_holm", "differs"),
    ]
    return pd.DataFrame(rows, columns=columns)


def per_class(actual: Integers, answers: Floats) -> pd.DataFrame:
    predicted = answers.argmax(axis=1)
    rows = []
    for split, (place, label) in itertools.product(("val", "test"), enumerate(EMOTIONS)):
        hits = int(((predicted == place) & (actual == place)).sum())
        precision = hits / max(int((predicted == place).sum()), 1)
        recall = hits / max(int((actual == place).sum()), 1)
        rows.append(
            {
                "split": split,
                "label": label,
                "precision": precision,
                "recall": recall,
                "f1": 2 * precision * recall / max(precision + recall, 1e-9),
                "support": int((actual == place).sum()),
                "average_precision": average_precision_score(actual == place, answers[:, place]),
            }
        )
    return pd.DataFrame(rows)


def history(first: str) -> pd.DataFrame:
    epochs = np.arange(1, 9)
    return pd.DataFrame(
        {
            "epoch": epochs,
            "phase": [first] * 3 + ["all"] * 5,
            "learning_rate": [1e-3] * 3 + [3e-3, 2e-3, 1e-3, 5e-4, 1e-4],
            "loss": 2 / epochs**0.8,
            "accuracy": 1 - 0.8 / epochs**0.7,
            "val_loss": 1.8 / epochs**0.6,
            "val_accuracy": 0.85 - 0.6 / epochs**0.8,
        }
    )


def top_confusions(confusion: pd.DataFrame) -> pd.DataFrame:
    wrong = confusion[confusion["actual"] != confusion["predicted"]]
    counts = wrong.value_counts(["actual", "predicted"]).rename("count").reset_index()
    support = confusion["actual"].value_counts()
    return counts.assign(share=counts["count"] / counts["actual"].map(support))


def calibration(actual: Integers, answers: Floats) -> pd.DataFrame:
    confidence, right = answers.max(axis=1), answers.argmax(axis=1) == actual
    edges = np.linspace(0, 1, 16)
    bins = np.clip(np.digitize(confidence, edges) - 1, 0, 14)
    rows = []
    for place in range(15):
        inside = bins == place
        means = (confidence[inside].mean(), right[inside].mean()) if inside.any() else (None, None)
        rows.append([edges[place], edges[place + 1], int(inside.sum()), *means])
    return pd.DataFrame(rows, columns=["bin_low", "bin_high", "samples", "confidence", "accuracy"])


def precision_recall(actual: Integers, answers: Floats) -> pd.DataFrame:
    tables = []
    for place, label in enumerate(EMOTIONS):
        precision, recall, threshold = precision_recall_curve(actual == place, answers[:, place])
        chosen = np.unique(np.linspace(0, len(threshold) - 1, 100).astype(int))
        columns = {"threshold": threshold, "precision": precision[:-1], "recall": recall[:-1]}
        tables.append(pd.DataFrame(columns).iloc[chosen].assign(label=label))
    return pd.concat(tables)[["label", "threshold", "precision", "recall"]]


def robustness(clean: float) -> pd.DataFrame:
    rows: list[tuple[str, int, int, float, float]] = [("none", 0, 280, clean, clean)]
    for place, severity in itertools.product(range(len(CORRUPTIONS)), range(1, 6)):
        kept = 1 - severity * (place + 1) / 75
        rows.append((CORRUPTIONS[place], severity, 280, clean * kept, clean * kept * 0.95))
    return pd.DataFrame(rows, columns=["corruption", "severity", "samples", "accuracy", "macro_f1"])


def answers(actual: Integers, skill: float, seed: int) -> Floats:
    random = np.random.default_rng(100 + seed)
    scores = random.gumbel(size=(len(actual), len(EMOTIONS)))
    scores[np.arange(len(actual)), actual] += skill
    # Fear and surprise look alike.
    scores[actual == 2, 5] += 0.4 * skill
    if skill == 0:
        scores[:, 3] += 9
    exponentials = np.exp(scores)
    shares: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares
