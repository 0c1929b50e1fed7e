"""What a model says of damaged images: its answers for every corruption and severity."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ferflow.errors import FerflowError
from ferflow.evaluation.outcomes import PROBABILITIES
from ferflow.evaluation.robustness.corruptions import CLEAN, CORRUPTIONS, Images, corrupt
from ferflow.labels import EMOTIONS
from ferflow.progress import progress

#: Takes uint8 images (n, H, W, C), gives probabilities (n, 7) in the order of `EMOTIONS`.
Predict = Callable[[Images], npt.NDArray[Any]]


def choose_samples(labelled: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return about `count` samples of the test split, stratified by label, sorted by sample id.

    The choice is a function of the ids and labels: all models are asked about the same images, the order of
    the rows has no influence, and a larger choice holds a smaller one but for a sample or two.

    Args:
        labelled: `sample_id`, `class_index`, `split` and what else `labelled_samples` returns.
        count: How many; all where there are fewer. Labels get their share of them to a sample, and at least
            one: with rare labels the choice is a few larger.

    Raises:
        FerflowError: The test split is empty.
    """
    test = labelled[labelled["split"] == "test"]
    if test.empty:
        raise FerflowError("the test split has no samples to damage: check the split stage.")
    sizes = test["class_index"].value_counts().sort_index()
    share = sizes * min(count, len(test)) / len(test)
    wanted = share.map(math.floor).clip(lower=1)
    missing = max(min(count, len(test)) - int(wanted.sum()), 0)
    furthest_below = (share - wanted).sort_values(ascending=False, kind="stable").index
    wanted.loc[furthest_below[:missing]] += 1

    by_chance = test.assign(_draw=[_draw(sample_id) for sample_id in test["sample_id"]]).sort_values("_draw")
    place = by_chance.groupby("class_index").cumcount()
    chosen = by_chance[place < by_chance["class_index"].map(wanted)]
    return chosen.drop(columns="_draw").sort_values("sample_id", ignore_index=True)


def probe(
    predict: Predict,
    images: Images,
    samples: pd.DataFrame,
    *,
    severities: Sequence[int],
    batch_size: int = 256,
) -> pd.DataFrame:
    """Return a model's answers to clean and damaged images, a row for each image, corruption and severity.

    Images are read, damaged and forgotten batch by batch.

    Args:
        predict: The model. It is called with at most `batch_size` images.
        images: uint8 of shape (N, H, W, C), memory-mapped or not.
        samples: `row` (into `images`) and `sample_id` of the images that are asked about. The order of its
            rows has no influence.
        severities: Which of 1 to 5.
        batch_size: Images in one forward pass.

    Returns:
        `corruption`, `severity`, `sample_id` and `p_<emotion>` (float32) for each emotion. First are the
        clean images (corruption `none`, severity 0); the rest are in the order of `CORRUPTIONS`.

    Raises:
        FerflowError: The model's answer to an image is not a number.
    """
    ordered = samples.sort_values("sample_id")
    rows, ids = ordered["row"].to_numpy(), ordered["sample_id"].to_numpy()
    conditions = [(CLEAN, 0), *product(CORRUPTIONS, sorted(severities))]
    parts = []
    with progress(description="robustness", unit="image", total=len(conditions) * len(rows)) as bar:
        for corruption, severity in conditions:
            for batch in _batches(images, rows, batch_size):
                damaged = batch if corruption == CLEAN else corrupt(batch, corruption, severity)
                parts.append(_answers(predict, damaged, f"{corruption} {severity}"))
                bar.update(len(batch))
    asked = pd.DataFrame(
        {
            "corruption": np.repeat([corruption for corruption, _ in conditions], len(rows)),
            "severity": np.repeat([severity for _, severity in conditions], len(rows)),
            "sample_id": np.tile(ids, len(conditions)),
        }
    )
    return asked.join(pd.DataFrame(np.concatenate(parts), columns=list(PROBABILITIES)))


def _batches(images: Images, rows: npt.NDArray[np.int64], size: int) -> Iterator[Images]:
    for start in range(0, len(rows), size):
        yield np.asarray(images[rows[start : start + size]])


def _answers(predict: Predict, images: Images, condition: str) -> npt.NDArray[np.float32]:
    """Return the probabilities that the model gives to a batch."""
    probabilities = np.asarray(predict(images), dtype=np.float32)
    if probabilities.shape != (len(images), len(EMOTIONS)):
        raise ValueError(f"expected ({len(images)}, {len(EMOTIONS)}), got {probabilities.shape}")
    if not np.isfinite(probabilities).all():
        raise FerflowError(
            f"robustness: the model's answers to some images ({condition}) are not numbers: its weights are "
            "broken; lower its learning rate and train it again."
        )
    return probabilities


def _draw(sample_id: str) -> bytes:
    """Return where a sample stands in a draw that is decided by its id."""
    return hashlib.sha256(f"robustness {sample_id}".encode()).digest()
