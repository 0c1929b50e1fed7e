"""Stage predict@<model>: ask the network all that reports need."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from ferflow.data.arrays import open_images
from ferflow.data.labelled import labelled_samples
from ferflow.files import (
    read_json,
    read_or_none,
    read_table,
    sha256_of_file,
    write_json,
    write_parquet,
    write_text,
)
from ferflow.params import load_params
from ferflow.shared_machine import models_at_a_time
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
    parser.add_argument("--times", type=Path, required=True, help="folder for the time that answers take")
    arguments = parser.parse_args()

    params = load_params()
    views, probe_params = params.evaluate, params.robustness.of(params.budget)
    images = open_images(arguments.images)
    labelled = labelled_samples(read_table(arguments.samples), read_table(arguments.splits))
    training = read_json(arguments.model / "training.json")
    history = read_table(arguments.model / "history.csv")

    with heavy_imports():
        from ferflow.models.inference import predict_batch, predict_probabilities, trainable_parameters
        from ferflow.models.inspection.cost import described, flops, measured_or_kept
        from ferflow.models.inspection.drawing import architecture_figure
        from ferflow.models.inspection.saliency import class_activation_maps
        from ferflow.models.inspection.summary import summary
        from ferflow.models.saving import load_model
        from ferflow.models.views import averaged_over_views
        from ferflow.training.devices import prepare
    from ferflow import style
    from ferflow.evaluation.error_sheet import choose_errors, error_sheet
    from ferflow.evaluation.model_info import ModelInfo
    from ferflow.evaluation.outcomes import join
    from ferflow.evaluation.predictions import predictions_table
    from ferflow.evaluation.robustness.probe import choose_samples, probe

    report, file = arguments.report, arguments.model / "model.keras"
    device = prepare("float32", params.seed)
    trained = load_model(file)
    info = ModelInfo(
        model=training["model"],
        architecture=training["architecture"],
        parameters=trained.count_params(),
        trainable_parameters=trainable_parameters(trained),
        epochs=len(history),
        precision=training["precision"],
        fingerprint=training["fingerprint"],
        input_size=training["recipe"]["input_size"],
        flops=flops(trained),
        file_bytes=file.stat().st_size,
        evaluate=views,
    )
    model = averaged_over_views(trained, horizontal_flip=views.horizontal_flip, shift=views.shift)
    batch_size = _BATCH // info.views

    held_out = labelled[labelled["split"] != "train"].reset_index(drop=True)
    probabilities = predict_probabilities(model, images, held_out["row"].to_numpy(), batch_size=batch_size)
    predictions = predictions_table(held_out, probabilities)
    damaged = probe(
        lambda batch: predict_batch(model, batch),
        images,
        choose_samples(labelled, probe_params.samples),
        severities=probe_params.severities,
        batch_size=batch_size,
    )
    test = join(predictions, labelled)["test"]
    errors = choose_errors(test)
    row_of = dict(zip(labelled["sample_id"], labelled["row"], strict=True))
    faces = images[[row_of[sample_id] for sample_id in test.sample_id[errors]]]
    maps = class_activation_maps(trained, faces, test.predicted[errors])

    write_parquet(report / "predictions.parquet", predictions)
    write_parquet(report / "damaged.parquet", damaged)
    write_json(report / "model.json", info.model_dump())
    write_json(report / "training.json", training)
    write_text(report / "history.csv", (arguments.model / "history.csv").read_text(encoding="utf-8"))
    write_text(report / "architecture.txt", summary(trained))
    style.save_png(report / "architecture.png", architecture_figure(trained, info.model))
    sheet = error_sheet(faces, maps, test, errors, info.model)
    style.save_png(report / "faces" / "errors.png", sheet, photographs=True)
    # No output of the stage: it differs each time. The measure stage knows whether it is needed, and measures
    # it itself where other models are trained beside this one now.
    times = arguments.times / "answers.json"
    made_of = {"files": {info.model: sha256_of_file(file)}, "members": None, "views": info.views}
    where = described(device.name, threads=None if device.kind == "gpu" else device.workers)
    if models_at_a_time() == 1:
        write_json(
            times, measured_or_kept([read_or_none(times)], lambda: model, made_of=made_of, device=where)
        )
    print(f"predict: {info.model}: {len(predictions):,} images as they are, {len(damaged):,} damaged ones")


if __name__ == "__main__":
    run(main)
