"""Stage ensemble@<ensemble>: let models vote, by what each of them has answered already."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ferflow import style
from ferflow.data.arrays import open_images
from ferflow.data.labelled import labelled_samples
from ferflow.evaluation.ensembles import describe, info_of, read_members, vote
from ferflow.evaluation.error_sheet import choose_errors, error_sheet
from ferflow.evaluation.model_info import read_model_info
from ferflow.evaluation.outcomes import join
from ferflow.evaluation.voting import soft_vote_on_damaged
from ferflow.files import read_json, read_table, write_json, write_parquet
from ferflow.params import load_params
from ferflow.stage import heavy_imports, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ensemble", required=True, help="its name under `ensembles` in params.yaml")
    parser.add_argument("--members", type=Path, required=True, help="file of who votes in which ensemble")
    parser.add_argument("--models", type=Path, required=True, help="folder of the trained models")
    parser.add_argument("--reports", type=Path, required=True, help="folder with a report folder per model")
    parser.add_argument("--images", type=Path, required=True, help="array of images (.npy)")
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits")
    parser.add_argument("--out", type=Path, required=True, help="folder of the ensemble's report")
    arguments = parser.parse_args()

    name, out = arguments.ensemble, arguments.out
    members = read_members(arguments.members, name)
    weights = members.weights
    reports = {each: arguments.reports / each for each in members.names}
    images = open_images(arguments.images)
    labelled = labelled_samples(read_table(arguments.samples), read_table(arguments.splits))

    training = describe(name, members, {each: read_json(reports[each] / "training.json") for each in weights})
    info = info_of(training, {each: read_model_info(reports[each] / "model.json") for each in weights})
    predictions = vote(
        members, {each: read_table(reports[each] / "predictions.parquet") for each in members.names}
    )
    damaged = soft_vote_on_damaged(
        {each: read_table(reports[each] / "damaged.parquet") for each in weights}, weights
    )
    test = join(predictions, labelled)["test"]
    errors = choose_errors(test)
    row_of = dict(zip(labelled["sample_id"], labelled["row"], strict=True))
    faces = images[[row_of[sample_id] for sample_id in test.sample_id[errors]]]

    with heavy_imports():
        from ferflow.models.evaluated import load_networks
        from ferflow.models.inspection.saliency import mean_class_activation_maps
        from ferflow.training.devices import prepare
    prepare("float32", load_params().seed)
    maps = mean_class_activation_maps(
        load_networks(arguments.models, weights), weights, faces, test.predicted[errors]
    )

    write_parquet(out / "predictions.parquet", predictions)
    write_parquet(out / "damaged.parquet", damaged)
    write_json(out / "model.json", info.model_dump())
    write_json(out / "training.json", training)
    sheet = error_sheet(faces, maps, test, errors, name)
    style.save_png(out / "faces" / "errors.png", sheet, photographs=True)
    print(
        f"ensemble: {name}: {len(weights)} model(s), {np.sum(test.predicted == test.actual):,} of "
        f"{len(test.actual):,} test images right"
    )


if __name__ == "__main__":
    run(main)
