"""Stage evaluate@<model>: predict validation and test, and report from the table of predictions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from ferflow.data.arrays import open_images
from ferflow.data.labelled import labelled_samples
from ferflow.files import read_json, read_table, write_json, write_parquet
from ferflow.params import load_params
from ferflow.stage import heavy_imports, run

#: Views of images in one forward pass.
_BATCH: Final = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--images", type=Path, required=True, help="array of images (.npy)")
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits")
    parser.add_argument("--report", type=Path, required=True, help="folder of the model's report")
    arguments = parser.parse_args()

    views = load_params().evaluate
    images = open_images(arguments.images)
    labelled = labelled_samples(read_table(arguments.samples), read_table(arguments.splits))
    training = read_json(arguments.model / "training.json")
    history = read_table(arguments.report / "history.csv")

    with heavy_imports():
        from ferflow.models.inference import predict_probabilities, trainable_parameters
        from ferflow.models.saving import load_model
        from ferflow.models.views import averaged_over_views
    from ferflow.evaluation import report
    from ferflow.evaluation.model_info import ModelInfo
    from ferflow.evaluation.predictions import predictions_table

    model = load_model(arguments.model / "model.keras")
    info = ModelInfo(
        model=training["model"],
        architecture=training["architecture"],
        parameters=model.count_params(),
        trainable_parameters=trainable_parameters(model),
        epochs=len(history),
        precision=training["precision"],
        fingerprint=training["fingerprint"],
        input_size=training["recipe"]["input_size"],
        evaluate=views,
    )
    held_out = labelled[labelled["split"] != "train"].reset_index(drop=True)
    probabilities = predict_probabilities(
        averaged_over_views(model, horizontal_flip=views.horizontal_flip, shift=views.shift),
        images,
        held_out["row"].to_numpy(),
        batch_size=_BATCH // info.views,
    )
    predictions = predictions_table(held_out, probabilities)
    metrics = report.write(
        arguments.report, predictions=predictions, labels=labelled, history=history, model=info
    )
    write_parquet(arguments.report / "predictions.parquet", predictions)
    write_json(arguments.report / "model.json", info.model_dump())
    write_json(arguments.report / "training.json", training)
    print(
        f"evaluate: {info.model}: "
        + ", ".join(
            f"{split} accuracy {values['accuracy']:.4f} macro-F1 {values['macro_f1']:.4f}"
            for split, values in metrics.items()
        )
    )


if __name__ == "__main__":
    run(main)
