"""Stage train@<model>: build one model, train it by its recipe, write it with its history."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ferflow.data.arrays import open_images
from ferflow.data.labelled import labelled_samples
from ferflow.files import read_table, write_csv, write_json
from ferflow.labels import EMOTIONS
from ferflow.params import load_params
from ferflow.shared_machine import shared
from ferflow.stage import heavy_imports, run

if TYPE_CHECKING:
    import keras


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="its name under `models` in params.yaml")
    parser.add_argument("--images", type=Path, required=True, help="array of images (.npy)")
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trained model to write")
    parser.add_argument("--history", type=Path, required=True, help="table of epochs to write (.csv)")
    parser.add_argument("--times", type=Path, required=True, help="folder for the time it took")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        help="folder for the state of this model's unfinished training",
    )
    arguments = parser.parse_args()

    params = load_params()
    recipe = params.recipe(arguments.model)
    architecture = params.models[arguments.model].architecture
    images = open_images(arguments.images)
    samples, splits = read_table(arguments.samples), read_table(arguments.splits)
    labelled = labelled_samples(samples, splits)

    # Only now, when all inputs are known to be good: TensorFlow takes seconds to load.
    with heavy_imports():
        from ferflow import models
        from ferflow.models.saving import save_model
        from ferflow.tracking.data_used import DataUsed
        from ferflow.tracking.runs import live_run
        from ferflow.tracking.store import connect_or_warn
        from ferflow.training import fingerprint
        from ferflow.training.checkpoint import Checkpoint
        from ferflow.training.devices import prepare
        from ferflow.training.fit import train
        from ferflow.training.pipeline import TrainingData, select
        from ferflow.training.stopwatch import Stopwatch

        device = prepare(params.training.precision, params.seed)

    training = fingerprint.describe_training(
        model=arguments.model,
        architecture=architecture,
        recipe=recipe,
        seed=params.seed,
        device=device,
        data=fingerprint.data_sha256(samples, splits),
        code=fingerprint.code_sha256(fingerprint.code_files(architecture)),
    )

    def build(input_size: int) -> keras.Model:
        return models.build(
            architecture,
            images.shape[1:],
            len(EMOTIONS),
            input_size=input_size,
            options=recipe.options,
            where=params.where(arguments.model),
        )

    model = build(recipe.input_size)
    training |= {"dataset": params.dataset, "budget": params.budget}
    data = DataUsed(
        params.dataset,
        params.source.source,
        labelled[["sample_id", "label", "split"]],
        training["data_sha256"],
    )
    checkpoint = Checkpoint(arguments.checkpoint, training["fingerprint"])
    store = connect_or_warn(f"ferflow-{params.dataset}")
    stopwatch = Stopwatch()
    with live_run(store, training, data, hardware=device.name) as log_epoch:
        history = train(
            model,
            recipe,
            TrainingData(images, select(labelled, "train"), select(labelled, "val")),
            device=device,
            seed=params.seed,
            resized=build,
            listeners=[log_epoch],
            checkpoint=checkpoint,
            stopwatch=stopwatch,
        )

    save_model(model, arguments.out / "model.keras")
    write_json(arguments.out / "training.json", training)
    write_csv(arguments.history, pd.DataFrame(history), float_format="%.9g")
    # No output of the stage: it differs each time, and what was trained does not.
    seconds = round(stopwatch.seconds, 1)
    write_json(
        arguments.times / f"{training['fingerprint']}.json",
        {"fingerprint": training["fingerprint"], "device": shared(device.name), "seconds": seconds},
    )
    checkpoint.discard()


if __name__ == "__main__":
    run(main)
