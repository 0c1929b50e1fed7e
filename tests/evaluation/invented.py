"""Invented data sets, predictions and histories, small and seeded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.evaluation.model_info import ModelInfo
from ferflow.evaluation.outcomes import PROBABILITIES, Outcomes
from ferflow.labels import EMOTIONS

MODEL = ModelInfo(
    model="cnn4",
    architecture="cnn4",
    parameters=1_234_567,
    trainable_parameters=1_234_000,
    epochs=6,
    precision="float32",
    fingerprint="0123456789abcdef",
    input_size=48,
)


def labels_table(samples: int = 120, seed: int = 0, emotions: tuple[str, ...] = EMOTIONS) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "sample_id": [f"{number:016x}" for number in generator.permutation(samples)],
            "label": generator.choice(emotions, size=samples),
            # Both evaluated splits are there, whatever the seed.
            "split": ["train", "val", "test", *generator.choice(["train", "val", "test"], samples - 3)],
        }
    )


def predictions_table(labels: pd.DataFrame, seed: int = 0, skill: float = 1.0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = labels[labels["split"] != "train"].reset_index(drop=True)
    truth = rows["label"].to_numpy()[:, None] == np.array(EMOTIONS)
    scores = np.exp(generator.normal(size=(len(rows), len(EMOTIONS))) + skill * truth)
    probabilities = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    return pd.DataFrame(
        {
            "sample_id": rows["sample_id"],
            "split": rows["split"],
            "label": rows["label"],
            "predicted": np.array(EMOTIONS)[probabilities.argmax(axis=1)],
            **{f"p_{emotion}": probabilities[:, place] for place, emotion in enumerate(EMOTIONS)},
        }
    )


def history_table(*phases: tuple[str, int, float]) -> pd.DataFrame:
    names = [name for name, epochs, _ in phases for _ in range(epochs)]
    epochs = np.arange(1, len(names) + 1)
    return pd.DataFrame(
        {
            "epoch": epochs,
            "phase": names,
            "learning_rate": [rate for _, epochs_of_phase, rate in phases for _ in range(epochs_of_phase)],
            "loss": 1.9 / epochs,
            "accuracy": 1 - 0.8 / epochs,
            "val_loss": 1.5 / epochs + 0.1 * epochs,
            "val_accuracy": 0.7 - 0.5 / epochs,
        }
    )


def shuffled_answers(predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """As written if a generator shuffles the images: valid in every row, but of another image."""
    answers = ["predicted", *PROBABILITIES]
    order = np.random.default_rng(seed).permutation(len(predictions))
    return predictions.assign(**{name: predictions[name].to_numpy()[order] for name in answers})


def outcomes_with(actual: npt.ArrayLike, probabilities: npt.NDArray[np.float64]) -> Outcomes:
    """The most probable emotion is the predicted one, of equal ones the first."""
    return Outcomes(
        sample_id=np.array([f"{number:016x}" for number in range(len(probabilities))], dtype=object),
        actual=np.asarray(actual, dtype=np.intp),
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
    )
