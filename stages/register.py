"""Stage register: make MLflow agree with the files, and the best model the champion if the rules say so."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ferflow.data.arrays import open_images
from ferflow.data.labelled import labelled_samples
from ferflow.errors import FerflowError
from ferflow.evaluation.report_folders import report_folders
from ferflow.files import read_json, read_table, sha256_of_file, write_json
from ferflow.labels import EMOTIONS
from ferflow.params import load_params
from ferflow.stage import heavy_imports, run

if TYPE_CHECKING:
    from ferflow.tracking.projection import TrainedModel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="array of images (.npy)")
    parser.add_argument("--samples", type=Path, required=True, help="table of samples")
    parser.add_argument("--splits", type=Path, required=True, help="table of splits")
    parser.add_argument("--models", type=Path, required=True, help="folder of the trained models")
    parser.add_argument("--reports", type=Path, required=True, help="folder of the reports")
    parser.add_argument("--out", type=Path, required=True, help="file to write: who is best here, and why")
    arguments = parser.parse_args()

    params = load_params()
    leaderboard = read_table(arguments.reports / "leaderboard.csv")
    folders = report_folders(arguments.reports, params)
    if set(leaderboard["model"]) != set(folders):
        raise FerflowError("the leaderboard is not about the models of params.yaml: run `dvc repro`.")
    best = leaderboard.iloc[0]

    from ferflow.tracking.candidate import ValidationSplit, candidate_of
    from ferflow.tracking.data_used import DataUsed
    from ferflow.tracking.projection import TrainedModel, project, view_tags
    from ferflow.tracking.registry import register
    from ferflow.tracking.store import connect, is_experiment_copy

    costs = read_json(arguments.reports / "costs.json")
    models = {
        name: TrainedModel(name, arguments.models / name / "model.keras", folder, costs[name])
        for name, folder in folders.items()
    }
    card = arguments.reports / "model_card.md"
    models[best["model"]] = replace(models[best["model"]], card=card)
    training = models[best["model"]].training()
    samples = read_table(arguments.samples)
    labelled = labelled_samples(samples, read_table(arguments.splits))
    store = connect(f"ferflow-{params.dataset}")
    name = params.source.registered_model
    data = DataUsed(
        params.dataset,
        params.source.source,
        labelled[["sample_id", "label", "split"]],
        training["data_sha256"],
    )
    runs = dict(zip(models, project(store, list(models.values()), data), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        model = _as_evaluated(models[best["model"]], Path(folder))
        model_sha256 = sha256_of_file(model.file)
        # A queued experiment runs in a copy of the project: it is one of many, and moves no alias.
        if is_experiment_copy():
            print(f"register: {model.name} is the best of this experiment; {name}@champion stays as it is")
        else:
            height, width, channels = open_images(arguments.images).shape[1:]
            validation = ValidationSplit(
                labelled.loc[labelled["split"] == "val", ["sample_id", "label"]].merge(
                    samples[["sample_id", "sha256"]], on="sample_id", validate="one_to_one"
                ),
                (height, width, channels),
            )
            candidate = candidate_of(model, validation, EMOTIONS, view_tags(model))
            result = register(store, name, runs[model.name], candidate, params.promotion)
            print(f"register: {result}")
    # No version number and no run id: they belong to one store, this file to all of them.
    write_json(
        arguments.out,
        {
            "model": best["model"],
            "registered_model": name,
            "chosen_by": "val_macro_f1",
            "fingerprint": training["fingerprint"],
            "model_sha256": model_sha256,
            "val_macro_f1": float(best["val_macro_f1"]),
            "test_accuracy": float(best["test_accuracy"]),
            "test_macro_f1": float(best["test_macro_f1"]),
        },
    )


def _as_evaluated(model: TrainedModel, folder: Path) -> TrainedModel:
    """Return a model with the file of what was evaluated, made in `folder` unless it is the trained one."""
    # What its report says: params.yaml may have changed since.
    info = model.info()
    if info.views == 1 and not info.members:
        return model
    with heavy_imports():
        from ferflow.models.evaluated import load_evaluated
        from ferflow.models.saving import save_model
    views = info.evaluate
    evaluated = load_evaluated(
        model.file.parent.parent,
        model.name,
        info.members,
        horizontal_flip=views.horizontal_flip,
        shift=views.shift,
    )
    file = folder / model.file.name
    save_model(evaluated, file)
    return replace(model, file=file)


if __name__ == "__main__":
    run(main)
